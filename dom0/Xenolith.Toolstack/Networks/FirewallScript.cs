// Rules in nftables' language.
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;

namespace Xenolith.Toolstack.Networks;

/// <summary>An interface as its rules see it.</summary>
/// <param name="Name">Its name in Domain 0.</param>
/// <param name="Mac">The Ethernet address that alone its guest may use.</param>
/// <param name="Addresses">The addresses that alone its guest may use; empty = any, on a network whose addresses others give.</param>
/// <param name="Rules">In the order in which they are asked.</param>
/// <param name="Servers">Domain 0's addresses on the interface's network, where it gives addresses and names; empty on networks of others.</param>
public sealed record FirewalledInterface(
    string Name, PhysicalAddress Mac, IReadOnlyList<IPAddress> Addresses, IReadOnlyList<FirewallRule> Rules, IReadOnlyList<IPAddress> Servers);

/// <summary>
/// Writes the transactions that nft applies: all of one or nothing. Each interface has two chains, for what its guest sends and for what goes
/// to it, which a packet finds by the interface's name.
/// </summary>
public static class FirewallScript
{
    private const string Table = "bridge xenolith";
    private const string LockComment = "lock: ";
    private const string RemainderComment = "only: everything else";

    private static readonly IPAddress s_linkLocal = IPAddress.Parse("fe80::");

    /// <summary>
    /// Answers to what was allowed, and the questions for Ethernet addresses and networks (ARP, RFC 4861, RFC 3810), without which nothing that is
    /// allowed would find its way.
    /// </summary>
    private static readonly string[] s_always = ["ct state established,related accept", "meta protocol arp accept", "icmpv6 type { 130-136, 143 } accept"];

    /// <summary>The tables that all interfaces share; to be applied before the first of them.</summary>
    /// <param name="privateNetwork">The network whose guests reach the outside under Domain 0's address.</param>
    /// <param name="privateNetwork6">The same of IPv6; null where it has none.</param>
    /// <param name="hasIpv6">Domain 0's kernel speaks IPv6.</param>
    public static string Base(IPNetwork privateNetwork, IPNetwork? privateNetwork6, bool hasIpv6)
    {
        string script = $$"""
            add table {{Table}}
            add map {{Table}} senders { type ifname : verdict ; }
            add map {{Table}} receivers { type ifname : verdict ; }
            add chain {{Table}} prerouting { type filter hook prerouting priority 0 ; }
            add chain {{Table}} postrouting { type filter hook postrouting priority 0 ; }
            flush chain {{Table}} prerouting
            flush chain {{Table}} postrouting
            add rule {{Table}} prerouting iifname vmap @senders
            add rule {{Table}} postrouting oifname vmap @receivers

            """;
        script += ForwardingMaps("ip", "ipv4_addr") + ForwardingMaps("ip6", "ipv6_addr") + Translation("ip", "127.0.0.0/8", privateNetwork);
        return hasIpv6 ? script + Translation("ip6", "::1", privateNetwork6) : script;
    }

    /// <summary>Gives an interface its rules, in place of those that it had.</summary>
    public static string Apply(FirewalledInterface one)
    {
        ArgumentNullException.ThrowIfNull(one);
        StringBuilder script = new();
        string sent = Sent(one.Name), received = Received(one.Name);
        foreach (string chain in (string[])[sent, received])
        {
            Line(script, $"add chain {Table} {chain}");
            Line(script, $"flush chain {Table} {chain}");
        }

        foreach (string rule in Locks(one).Concat(s_always))
        {
            Line(script, $"add rule {Table} {sent} {rule}");
        }

        foreach (string rule in s_always)
        {
            Line(script, $"add rule {Table} {received} {rule}");
        }

        foreach (FirewallRule rule in one.Rules)
        {
            string comment = $"comment \"{rule.Text}\"";
            string chain = rule.IsOutgoing ? sent : received;
            switch (rule.Action)
            {
                case FirewallAction.Allow or FirewallAction.Only:
                    Line(script, $"add rule {Table} {chain} {rule.Pattern} counter accept {comment}");
                    break;
                case FirewallAction.Deny:
                    Line(script, $"add rule {Table} {chain} {rule.Pattern} counter drop {comment}");
                    break;
                case FirewallAction.Limit:
                    Line(script, $"add rule {Table} {chain} {rule.Pattern} limit rate over {rule.Rate} counter drop {comment}");
                    break;
            }
        }

        foreach (ForwardedPort port in ForwardedPorts(one))
        {
            Line(script, string.Create(CultureInfo.InvariantCulture, $"add element {MapOf(port)} {{ {port.Port} : {port.Address} . {port.GuestPort} }}"));
        }

        if (one.Rules.Any(rule => rule.Action == FirewallAction.Only))
        {
            foreach (string rule in Remainder(one))
            {
                Line(script, $"add rule {Table} {sent} {rule}");
            }
        }

        Line(script, $"add element {Table} senders {{ \"{one.Name}\" : jump {sent} }}");
        Line(script, $"add element {Table} receivers {{ \"{one.Name}\" : jump {received} }}");
        return script.ToString();
    }

    /// <summary>The ports of Domain 0 that go to an interface's guest: to its first address of each family.</summary>
    public static IReadOnlyList<ForwardedPort> ForwardedPorts(FirewalledInterface one)
    {
        ArgumentNullException.ThrowIfNull(one);
        IPAddress[] addresses = [.. one.Addresses.DistinctBy(address => address.AddressFamily)];
        return
        [
            .. from wanted in one.Rules.Select(rule => rule.Forwarded).OfType<(string Protocol, ushort Port, ushort GuestPort)>()
               from address in addresses
               select new ForwardedPort(wanted.Protocol, wanted.Port, address, wanted.GuestPort),
        ];
    }

    /// <summary>Takes back that ports are forwarded.</summary>
    public static string Unforward(IEnumerable<ForwardedPort> ports)
        => string.Concat(ports.Select(port => string.Create(CultureInfo.InvariantCulture, $"delete element {MapOf(port)} {{ {port.Port} }}\n")));

    /// <summary>Forgets an interface that is gone.</summary>
    public static string Remove(string name) => $$"""
        delete element {{Table}} senders { "{{name}}" }
        delete element {{Table}} receivers { "{{name}}" }
        delete chain {{Table}} {{Sent(name)}}
        delete chain {{Table}} {{Received(name)}}

        """;

    /// <summary>Whether what the packet filter has counted for was a rule, and not a lock or the end of all rules.</summary>
    public static bool IsRule(string comment)
    {
        ArgumentNullException.ThrowIfNull(comment);
        return !comment.StartsWith(LockComment, StringComparison.Ordinal) && comment != RemainderComment;
    }

    /// <summary>The chain of what an interface's guest sends.</summary>
    public static string Sent(string name) => "sent_" + Identifier(name);

    /// <summary>The chain of what goes to an interface's guest.</summary>
    public static string Received(string name) => "received_" + Identifier(name);

    /// <summary>A guest speaks under its own addresses only; without one it may ask for it.</summary>
    private static IEnumerable<string> Locks(FirewalledInterface one)
    {
        string mac = string.Join(':', one.Mac.GetAddressBytes().Select(part => part.ToString("x2", CultureInfo.InvariantCulture)));
        yield return $"ether saddr != {mac} counter drop comment \"{LockComment}foreign Ethernet address\"";
        yield return $"arp saddr ether != {mac} counter drop comment \"{LockComment}foreign Ethernet address in ARP\"";
        if (one.Addresses.Count == 0)
        {
            yield break;
        }

        IPAddress[] four = [.. one.Addresses.Where(address => address.AddressFamily == AddressFamily.InterNetwork)];
        IPAddress[] six = [.. one.Addresses.Where(address => address.AddressFamily == AddressFamily.InterNetworkV6), OwnAddress(s_linkLocal, one.Mac), IPAddress.IPv6Any];
        yield return $"arp saddr ip != {{ {string.Join(", ", [.. four, IPAddress.Any])} }} counter drop comment \"{LockComment}foreign address in ARP\"";
        yield return "ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept";
        yield return four.Length == 0 ? $"meta protocol ip counter drop comment \"{LockComment}foreign address\"" : $"ip saddr != {{ {string.Join<IPAddress>(", ", four)} }} counter drop comment \"{LockComment}foreign address\"";
        yield return $"ip6 saddr != {{ {string.Join<IPAddress>(", ", six)} }} counter drop comment \"{LockComment}foreign address\"";
        yield return $"icmpv6 type {{ nd-router-advert, nd-redirect }} counter drop comment \"{LockComment}router of IPv6\"";
        yield return $"icmpv6 type nd-neighbor-advert @th,64,128 != {{ {string.Join(", ", six.Select(Number))} }} counter drop comment \"{LockComment}foreign address in neighbour advertisement\"";
    }

    /// <summary>What a guest needs that may reach a few places only, and the end of everything else.</summary>
    private static IEnumerable<string> Remainder(FirewalledInterface one)
    {
        yield return "udp sport 68 udp dport 67 accept";
        foreach (IPAddress server in one.Servers)
        {
            string family = FamilyOf(server);
            yield return $"{family} daddr {server} meta l4proto {{ 1, 58 }} accept";
            yield return $"{family} daddr {server} meta l4proto {{ 6, 17 }} th dport 53 accept";
        }

        yield return $"counter drop comment \"{RemainderComment}\"";
    }

    private static string FamilyOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? "ip6" : "ip";

    /// <summary>The address that an interface gives itself in a network of 64 bits (RFC 4291, appendix A).</summary>
    public static IPAddress OwnAddress(IPAddress network, PhysicalAddress mac)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(mac);
        byte[] m = mac.GetAddressBytes();
        return new IPAddress([.. network.GetAddressBytes()[..8], (byte)(m[0] ^ 2), m[1], m[2], 0xFF, 0xFE, m[3], m[4], m[5]]);
    }

    private static string Number(IPAddress address) => "0x" + Convert.ToHexStringLower(address.GetAddressBytes());

    private static string NatTable(string family) => family + " xenolith";

    private static string MapOf(ForwardedPort port) => $"{NatTable(FamilyOf(port.Address))} forward_{port.Protocol}";

    private static string ForwardingMaps(string family, string addressType) => $$"""
        add table {{NatTable(family)}}
        add map {{NatTable(family)}} forward_tcp { type inet_service : {{addressType}} . inet_service ; }
        add map {{NatTable(family)}} forward_udp { type inet_service : {{addressType}} . inet_service ; }

        """;

    /// <summary>What comes to forwarded ports goes to guests, what comes from the private network goes out under Domain 0's address.</summary>
    private static string Translation(string family, string loopback, IPNetwork? privateNetwork)
    {
        StringBuilder script = new();
        string table = NatTable(family);
        foreach ((string chain, string priority) in ((string, string)[])[("prerouting", "-100"), ("output", "-100"), ("postrouting", "100")])
        {
            Line(script, $"add chain {table} {chain} {{ type nat hook {chain} priority {priority} ; }}");
            Line(script, $"flush chain {table} {chain}");
        }

        foreach (string protocol in (string[])["tcp", "udp"])
        {
            Line(script, $"add rule {table} prerouting fib daddr type local dnat {family} to {protocol} dport map @forward_{protocol}");
            Line(script, $"add rule {table} output fib daddr type local {family} daddr != {loopback} dnat {family} to {protocol} dport map @forward_{protocol}");
        }

        if (privateNetwork is not null)
        {
            Line(script, $"add rule {table} postrouting {family} saddr {privateNetwork} {family} daddr != {privateNetwork} masquerade");
        }

        return script.ToString();
    }

    // Names of chains are made of fewer characters than those of interfaces.
    private static string Identifier(string name)
        => string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c == '.' ? c.ToString() : string.Create(CultureInfo.InvariantCulture, $"_{(int)c:x2}")));

    private static void Line(StringBuilder script, string line) => script.Append(line).Append('\n');
}
