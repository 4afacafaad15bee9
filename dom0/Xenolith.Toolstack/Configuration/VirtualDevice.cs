// The name of a disk in its guest, and its number.
using System.Globalization;

namespace Xenolith.Toolstack.Configuration;

/// <summary>A disk's name in the guest, such as <c>xvda</c> or <c>xvda1</c>, and the number that xenstore and the guest's driver know it by.</summary>
/// <param name="Name">As in the guest's /dev.</param>
/// <param name="Number">The number of the directory in xenstore (public header io/blkif.h, and docs/misc/vbd-interface of Xen).</param>
public sealed record VirtualDevice(string Name, uint Number)
{
    private const uint XvdMajor = 202;
    private const uint ScsiMajor = 8;
    private const int Letters = 26;

    /// <summary>Reads a name.</summary>
    /// <exception cref="FormatException">It names no disk; the message says what would.</exception>
    public static VirtualDevice Parse(string name)
    {
        string prefix = name.StartsWith("xvd", StringComparison.Ordinal) ? "xvd" : name.Length > 2 ? name[..2] : "";
        int at = prefix.Length;
        ulong disk = 0;
        for (; at < name.Length && name[at] is >= 'a' and <= 'z'; at++)
        {
            disk = (disk * Letters) + (ulong)(name[at] - 'a' + 1);
            if (disk > 1 << 20)
            {
                throw Unknown(name);
            }
        }

        uint partition = 0;
        bool hasDisk = disk > 0;
        bool hasPartition = at < name.Length;
        if (!hasDisk || (hasPartition && (name[at] == '0' || !uint.TryParse(name.AsSpan(at), NumberStyles.None, CultureInfo.InvariantCulture, out partition))))
        {
            throw Unknown(name);
        }

        return new VirtualDevice(name, NumberOf(prefix, (uint)disk - 1, partition) ?? throw Unknown(name));
    }

    private static uint? NumberOf(string prefix, uint disk, uint partition) => prefix switch
    {
        "xvd" when disk <= 15 && partition <= 15 => (XvdMajor << 8) | (disk << 4) | partition,
        "xvd" when disk < 1 << 20 && partition <= 255 => (1U << 28) | (disk << 8) | partition,
        "hd" when disk <= 3 && partition <= 63 => ((disk < 2 ? 3U : 22U) << 8) | ((disk & 1) << 6) | partition,
        "sd" when disk <= 15 && partition <= 15 => (ScsiMajor << 8) | (disk << 4) | partition,
        _ => null,
    };

    private static FormatException Unknown(string name)
        => new($"'{name}' names no disk of a guest; write xvda, xvdb, ... or with a partition xvda1");
}
