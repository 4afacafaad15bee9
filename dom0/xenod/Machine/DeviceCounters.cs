// What Domain 0's kernel counts of a domain's devices.
using System.Globalization;
using System.Text.RegularExpressions;

namespace Xenod.Machine;

/// <summary>A disk's work since it was attached.</summary>
/// <param name="Device">Number of the device in the guest.</param>
/// <param name="Reads">Read requests.</param>
/// <param name="ReadBytes">What they read.</param>
/// <param name="Writes">Write requests.</param>
/// <param name="WrittenBytes">What they wrote.</param>
internal sealed record DiskCounters(string Device, long Reads, long ReadBytes, long Writes, long WrittenBytes);

/// <summary>A network interface's work since it was attached, from the guest's side.</summary>
/// <param name="Interface">Its index in the guest.</param>
/// <param name="ReceivedBytes">To the guest.</param>
/// <param name="ReceivedPackets">To the guest.</param>
/// <param name="SentBytes">From the guest.</param>
/// <param name="SentPackets">From the guest.</param>
/// <param name="DroppedPackets">Packets to the guest that it did not take in time.</param>
/// <param name="Rings">How full its rings are; none where Domain 0's kernel does not show it.</param>
internal sealed record InterfaceCounters(
    string Interface, long ReceivedBytes, long ReceivedPackets, long SentBytes, long SentPackets, long DroppedPackets, IReadOnlyList<InterfaceRing> Rings);

/// <summary>The two rings of an interface's queue, at one moment.</summary>
/// <param name="Queue">Number of the queue.</param>
/// <param name="FromGuest">Packets that the guest has sent and has no answer to yet.</param>
/// <param name="ToGuest">Buffers for packets that the guest offers.</param>
internal sealed partial record InterfaceRing(int Queue, long FromGuest, long ToGuest)
{
    /// <summary>Reads the state of a queue as Linux's netback tells it in debugfs; null where it tells something else.</summary>
    internal static InterfaceRing? Parse(string text)
    {
        MatchCollection used = Used().Matches(text);
        return Number().Match(text) is { Success: true } queue && used.Count == 2 ? new InterfaceRing((int)Value(queue.Groups[1]), Waiting(used[0]), Waiting(used[1])) : null;

        // The counters go round at 2^32.
        static long Waiting(Match ring) => (uint)(Value(ring.Groups[1]) - Value(ring.Groups[2]));

        static long Value(Group digits) => long.TryParse(digits.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;
    }

    [GeneratedRegex(@"^Queue (\d+)")]
    private static partial Regex Number();

    [GeneratedRegex(@"^req prod (\d+) .*\nrsp prod (\d+) ", RegexOptions.Multiline)]
    private static partial Regex Used();
}

/// <summary>The devices of one domain.</summary>
internal sealed record DeviceCounters(IReadOnlyList<DiskCounters> Disks, IReadOnlyList<InterfaceCounters> Interfaces)
{
    private const int SectorBytes = 512;

    /// <summary>Reads what the back-end drivers show (Linux's Documentation/ABI/testing/sysfs-driver-xen-blkback, sysfs-class-net-statistics, and netback in debugfs).</summary>
    /// <param name="root">Where sysfs is mounted.</param>
    /// <param name="domain">The domain.</param>
    internal static DeviceCounters Read(string root, ushort domain)
    {
        string devices = Path.Combine(root, "bus/xen-backend/devices");
        List<DiskCounters> disks = [];
        foreach ((string number, string path) in Devices(devices, string.Create(CultureInfo.InvariantCulture, $"vbd-{domain}-")))
        {
            string counters = Path.Combine(path, "statistics");
            disks.Add(new DiskCounters(
                number, Value(counters, "rd_req"), Value(counters, "rd_sect") * SectorBytes, Value(counters, "wr_req"), Value(counters, "wr_sect") * SectorBytes));
        }

        List<InterfaceCounters> interfaces = [];
        foreach ((string number, string path) in Devices(devices, string.Create(CultureInfo.InvariantCulture, $"vif-{domain}-")))
        {
            string net = Path.Combine(path, "net");
            foreach (string name in Directory.Exists(net) ? Directory.GetDirectories(net) : [])
            {
                string counters = Path.Combine(name, "statistics");
                interfaces.Add(new InterfaceCounters(
                    number, Value(counters, "tx_bytes"), Value(counters, "tx_packets"), Value(counters, "rx_bytes"), Value(counters, "rx_packets"), Value(counters, "tx_dropped"),
                    ReadRings(Path.Combine(root, "kernel/debug/xen-netback", Path.GetFileName(name)))));
            }
        }

        return new DeviceCounters(disks, interfaces);
    }

    private static IEnumerable<(string Number, string Path)> Devices(string directory, string prefix)
        => Directory.Exists(directory)
            ? Directory.GetFileSystemEntries(directory, prefix + "*").Order(StringComparer.Ordinal).Select(path => (Path.GetFileName(path)[prefix.Length..], path))
            : [];

    private static IReadOnlyList<InterfaceRing> ReadRings(string directory)
    {
        try
        {
            return [.. Directory.GetFiles(directory, "io_ring_q*").Order(StringComparer.Ordinal).Select(file => InterfaceRing.Parse(File.ReadAllText(file))).OfType<InterfaceRing>()];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>A device may go while it is looked at; then it has counted nothing.</summary>
    private static long Value(string directory, string name)
    {
        try
        {
            return long.TryParse(File.ReadAllText(Path.Combine(directory, name)).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value) ? value : 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
