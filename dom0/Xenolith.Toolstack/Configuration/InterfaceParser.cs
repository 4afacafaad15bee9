// Reads the description of a network interface.
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using Xenolith.Toolstack.Networks;

namespace Xenolith.Toolstack.Configuration;

/// <summary>Reads a network interface's description: <c>mac=, bridge=, vifname=, ip=, gatewaydev=, rate=, mtu=, rules=</c> parted by commas; an empty one is an interface too.</summary>
public static class InterfaceParser
{
    private const int LongestName = 15;

    /// <summary>Reads a description.</summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong and what to write.</exception>
    public static InterfaceSpecification Parse(string text)
    {
        InterfaceSpecification found = new() { Text = text };
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int sign = part.IndexOf('=', StringComparison.Ordinal);
            string key = sign < 0 ? part : part[..sign].TrimEnd();
            string value = sign < 0 ? "" : part[(sign + 1)..].TrimStart();
            if (!seen.Add(key))
            {
                throw Wrong(text, $"'{key}' is given twice");
            }

            found = With(found, key, value, text);
        }

        if (found.GatewayDevice is not null && found.Bridge is not null)
        {
            throw Wrong(text, "an interface is joined to a bridge (bridge=) or routed (gatewaydev=), not both");
        }

        return found.GatewayDevice is null || found.Addresses.Count > 0
            ? found
            : throw Wrong(text, "a routed interface (gatewaydev=) needs the address that is routed to it: ip=192.0.2.5");
    }

    private static InterfaceSpecification With(InterfaceSpecification found, string key, string value, string text)
    {
        switch (key)
        {
            case "mac":
                return found with { Mac = MacOf(value, text) };
            case "bridge":
                return found with { Bridge = DeviceName(value, text) };
            case "vifname":
                return found with { Name = DeviceName(value, text) };
            case "ip":
                return found with { Addresses = AddressesOf(value, text) };
            case "gatewaydev" or "netdev":
                return found with { GatewayDevice = DeviceName(value, text) };
            case "rate":
                return found with { Rate = NetworkRate.Parse(value) };
            case "rules":
                return found with { Rules = [.. value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(rule => FirewallRule.Parse(rule).Text)] };
            case "mtu":
                return found with { Mtu = MtuOf(value, text) };
            case "script":
                throw Wrong(text, "no scripts are run here: leave script= out, bridge= and ip= say what is wanted");
            case "backend" when value is not ("0" or "Domain-0"):
                throw Wrong(text, "only Domain 0 serves networks; leave backend= out");
            case "backend" or "devid" or "model" or "trusted" or "untrusted":
                return found;
            case "type" when value is "vif" or "netfront":
                return found;
            case "type":
                throw Wrong(text, "only Xen's own network protocol is served (type=vif)");
            default:
                throw Wrong(text, $"'{key}' is unknown; it is made of mac=, bridge=, vifname=, ip=, gatewaydev=, rate=, mtu=, rules=");
        }
    }

    private static PhysicalAddress MacOf(string value, string text)
    {
        string[] parts = value.Split(':');
        byte[] bytes = new byte[6];
        bool isAddress = parts.Length == bytes.Length;
        for (int i = 0; isAddress && i < bytes.Length; i++)
        {
            isAddress = parts[i].Length is 1 or 2 && byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]);
        }

        const int GroupBit = 1;
        bool isZero = bytes.All(part => part == 0);
        return isAddress && !isZero && (bytes[0] & GroupBit) == 0
            ? new PhysicalAddress(bytes)
            : throw Wrong(text, $"'{value}' is no Ethernet address of one interface; write six hexadecimal numbers, the first even, as in 00:16:3e:12:34:56");
    }

    private static string DeviceName(string value, string text)
        => value.Length is > 0 and <= LongestName && value is not ("." or "..") && value.All(c => c > ' ' && c < 0x7F && c is not ('/' or ':'))
            ? value
            : throw Wrong(text, $"'{value}' is no name of a network device: 1 to {LongestName} characters without space, '/' and ':'");

    private static string[] AddressesOf(string value, string text)
    {
        string[] addresses = value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (string address in addresses)
        {
            bool isAddress = address.Contains('/', StringComparison.Ordinal) ? IsPrefix(address) : IPAddress.TryParse(address, out _);
            if (!isAddress)
            {
                throw Wrong(text, $"'{address}' is no address; write 10.0.0.5 or 10.0.0.5/24, several parted by spaces");
            }
        }

        return addresses;
    }

    private static bool IsPrefix(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        return IPAddress.TryParse(text.AsSpan(0, slash), out IPAddress? address)
            && byte.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out byte length)
            && length <= address.GetAddressBytes().Length * 8;
    }

    private static int MtuOf(string value, string text)
        => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int mtu) && mtu is >= 68 and <= 65535
            ? mtu
            : throw Wrong(text, $"mtu is a number of bytes from 68 to 65535, not '{value}'");

    private static FormatException Wrong(string text, string problem) => new($"the interface '{text}': {problem}");
}
