// Which guest has which address of the private network.
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Security.Cryptography;
using Xenod.Domains;

namespace Xenod.Networks;

/// <summary>
/// Gives each interface an Ethernet address made of its domain's uuid, and an address of the private network that it keeps. The book is a
/// directory with a file for each interface, in the form that the DHCP server reads (dnsmasq's <c>--dhcp-hostsdir</c>).
/// </summary>
internal sealed class AddressBook(string directory, IPNetwork network)
{
    private readonly Lock _lock = new();

    /// <summary>Domain 0's own address.</summary>
    internal IPAddress Gateway => AddressAt(1);

    private uint Size => 1U << (32 - network.PrefixLength);

    /// <summary>The Ethernet address of a domain's interface: the same at each start (Xen's 00:16:3e, and 23 bits).</summary>
    internal static PhysicalAddress MacOf(Guid uuid, uint index)
    {
        Span<byte> seed = stackalloc byte[20];
        uuid.TryWriteBytes(seed);
        BinaryPrimitives.WriteUInt32LittleEndian(seed[16..], index);
        byte[] hash = SHA256.HashData(seed);
        return new PhysicalAddress([0x00, 0x16, 0x3E, (byte)(hash[0] & 0x7F), hash[1], hash[2]]);
    }

    /// <summary>As it is written everywhere but in .NET.</summary>
    internal static string TextOf(PhysicalAddress mac) => string.Join(':', mac.GetAddressBytes().Select(part => part.ToString("x2", CultureInfo.InvariantCulture)));

    /// <summary>The address of an interface: the one that it has had before, or one that nobody has.</summary>
    /// <exception cref="DomainServiceException">All are taken, or the wanted one is another's.</exception>
    internal IPAddress Assign(PhysicalAddress mac, string name, IPAddress? wanted)
    {
        lock (_lock)
        {
            Directory.CreateDirectory(directory);
            Dictionary<IPAddress, string> taken = [];
            foreach (string path in Directory.EnumerateFiles(directory))
            {
                string[] parts = File.ReadAllText(path).Trim().Split(',');
                if (parts.Length > 1 && IPAddress.TryParse(parts[1], out IPAddress? address))
                {
                    taken[address] = Path.GetFileName(path);
                }
            }

            string own = FileOf(mac);
            IPAddress? old = taken.FirstOrDefault(entry => entry.Value == own).Key;
            if (wanted is not null && taken.TryGetValue(wanted, out string? other) && other != own)
            {
                throw new DomainServiceException(Refusal.Conflict, $"the address {wanted} is another interface's ({other.Replace('-', ':')}); choose another, or leave ip= out");
            }

            IPAddress chosen = wanted ?? (old is not null && network.Contains(old) ? old : FreeAddress(mac, taken));
            string file = Path.Combine(directory, own);

            // The DHCP server reads each file of the directory at once, but those whose names begin with a dot.
            string part = Path.Combine(directory, "." + own);
            File.WriteAllText(part, string.Create(CultureInfo.InvariantCulture, $"{TextOf(mac)},{chosen},{name}\n"));
            File.Move(part, file, overwrite: true);
            return chosen;
        }
    }

    /// <summary>The interface is no more: its address is free.</summary>
    internal void Forget(PhysicalAddress mac)
    {
        lock (_lock)
        {
            if (Directory.Exists(directory))
            {
                File.Delete(Path.Combine(directory, FileOf(mac)));
            }
        }
    }

    /// <summary>Frees all addresses but those of some interfaces: a daemon that was killed, or a machine that lost its power, has not freed the others.</summary>
    internal void ForgetAllBut(IEnumerable<PhysicalAddress> kept)
    {
        HashSet<string> files = [.. kept.Select(FileOf)];
        lock (_lock)
        {
            foreach (string path in Directory.Exists(directory) ? Directory.GetFiles(directory) : [])
            {
                if (!files.Contains(Path.GetFileName(path)))
                {
                    File.Delete(path);
                }
            }
        }
    }

    private static string FileOf(PhysicalAddress mac) => TextOf(mac).Replace(':', '-');

    private IPAddress FreeAddress(PhysicalAddress mac, Dictionary<IPAddress, string> taken)
    {
        const uint First = 2;
        uint count = Size - First - 1;
        uint start = BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(mac.GetAddressBytes())) % count;
        for (uint i = 0; i < count; i++)
        {
            IPAddress candidate = AddressAt(First + ((start + i) % count));
            if (!taken.ContainsKey(candidate))
            {
                return candidate;
            }
        }

        throw new DomainServiceException(Refusal.NoRoom, $"all addresses of the private network {network} are taken; destroy domains, or give xenod a larger network");
    }

    private IPAddress AddressAt(uint offset)
    {
        byte[] bytes = network.BaseAddress.GetAddressBytes();
        BinaryPrimitives.WriteUInt32BigEndian(bytes, BinaryPrimitives.ReadUInt32BigEndian(bytes) + offset);
        return new IPAddress(bytes);
    }
}
