// Disks made of extents, by the kernel's device-mapper.
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Interop;

namespace Xenod.Devices;

/// <summary>Makes one block device of extents of files and block devices (Linux's Documentation/admin-guide/device-mapper/linear).</summary>
internal static class ExtentDisks
{
    private const string Program = "dmsetup";
    private const string Prefix = "xenolith-";
    private const string Blocks = "/sys/block";
    private const string Devices = "/dev/";
    private const int SectorBytes = 512;

    /// <summary>An extent's place on a block device, in sectors; the identity is the same for all block devices of the same file.</summary>
    private readonly record struct Place(string Identity, string Device, long Start, long Count)
    {
        internal bool Overlaps(Place other) => Identity == other.Identity && Start < other.Start + other.Count && other.Start < Start + Count;
    }

    private sealed class MappedDisk(string path) : IServedDisk
    {
        public string Path => path;

        public string Number { get; } = DiskTarget.Of(path).DeviceNumber;

        public async ValueTask DisposeAsync() => await ReleaseAsync(path).ConfigureAwait(false);
    }

    /// <summary>Serves the disk that a file describes.</summary>
    /// <exception cref="IOException">It cannot be served; the message says why.</exception>
    internal static async Task<IServedDisk> ServeAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        await Programs.LoadModuleAsync("dm-mod", cancellation).ConfigureAwait(false);
        List<LoopDevice> loops = [];
        try
        {
            List<Place> places = [];
            foreach (Extent extent in Read(disk.Target))
            {
                places.Add(await PlaceAsync(extent, disk, loops, cancellation).ConfigureAwait(false));
            }

            if (!disk.IsShared)
            {
                await RefuseOverlapAsync(disk, places, cancellation).ConfigureAwait(false);
            }

            string name = FreeName();
            string[] access = disk.IsReadOnly ? ["--readonly"] : [];
            await RunAsync(["create", name, "--noudevsync", .. access], Table(places), cancellation).ConfigureAwait(false);

            // The kernel makes this node itself; the one in /dev/mapper waits for udev, which a small Domain 0 has not.
            return new MappedDisk(Devices + Mapped().First(one => one.Name == name).Device);
        }
        finally
        {
            // The mapping holds them from now on, and they go with it.
            loops.ForEach(loop => loop.Dispose());
        }
    }

    /// <summary>Takes a disk apart, if the block device is one of these; the data stays where it is.</summary>
    internal static async Task ReleaseAsync(string path)
    {
        foreach ((string name, _) in Mapped().Where(one => Devices + one.Device == path))
        {
            await Programs.RunAsync(Program, ["remove", "--noudevsync", "--retry", name]).ConfigureAwait(false);
        }
    }

    /// <summary>Takes all such disks apart but some.</summary>
    internal static async Task ReleaseAllButAsync(IReadOnlySet<string> used)
    {
        foreach (string path in Mapped().Select(one => Devices + one.Device).Where(path => !used.Contains(path)))
        {
            try
            {
                await ReleaseAsync(path).ConfigureAwait(false);
            }
            catch (ProgramException)
            {
                // Somebody else has it open.
            }
        }
    }

    /// <summary>The disks that there are: names as device-mapper knows them, and as /dev has them.</summary>
    private static List<(string Name, string Device)> Mapped()
        => [.. Directory.GetDirectories(Blocks, "dm-*").Select(device => (File.ReadAllText(Path.Combine(device, "dm/name")).Trim(), Path.GetFileName(device)))
            .Where(one => one.Item1.StartsWith(Prefix, StringComparison.Ordinal))];

    private static IReadOnlyList<Extent> Read(string path)
    {
        try
        {
            return ExtentList.Parse(File.ReadAllText(path));
        }
        catch (FormatException exception)
        {
            throw new IOException($"{path} describes no disk of extents: {exception.Message}", exception);
        }
    }

    private static async Task<Place> PlaceAsync(Extent extent, DiskSpecification disk, List<LoopDevice> loops, CancellationToken cancellation)
    {
        DiskTarget target = DiskTarget.Of(extent.Path);
        using SafeFileHandle file = File.OpenHandle(extent.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        long length = DiskTarget.LengthOf(file);
        long count = extent.Length ?? ((length - extent.Offset) & ~(SectorBytes - 1L));
        if (count <= 0 || extent.Offset > length - count)
        {
            throw new IOException($"{disk.Target}: {extent.Path} ends before its extent at {extent.Offset} does: it has {length} bytes");
        }

        string number = target.DeviceNumber;
        if (!target.IsBlockDevice)
        {
            await Programs.LoadModuleAsync("loop", cancellation).ConfigureAwait(false);
            LoopDevice loop = LoopDevice.Attach(extent.Path, disk.IsReadOnly);
            loops.Add(loop);
            number = DiskTarget.Of(loop.Path).DeviceNumber;
        }

        return new Place(target.Identity, Decimal(number), extent.Offset / SectorBytes, count / SectorBytes);
    }

    /// <summary>Two who write to the same sectors would each destroy what the other does.</summary>
    private static async Task RefuseOverlapAsync(DiskSpecification disk, List<Place> places, CancellationToken cancellation)
    {
        foreach ((string name, string device) in Mapped())
        {
            bool isRead = File.ReadAllText(Path.Combine(Blocks, device, "ro")).Trim() == "1";
            if (isRead && disk.IsReadOnly)
            {
                continue;
            }

            string table = await RunAsync(["table", name], null, cancellation).ConfigureAwait(false);
            if (PlacesOf(table).Any(other => places.Exists(other.Overlaps)))
            {
                throw new IOException($"{disk.Target}: an extent is part of another domain's disk already; two may share it only to read, or with access 'w!' where their file system is made for it");
            }
        }
    }

    private static IEnumerable<Place> PlacesOf(string table)
    {
        foreach (string line in table.Split('\n'))
        {
            // Start, length, kind, device, start on the device.
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var count, "linear", var device, var start])
            {
                yield return new Place(IdentityOf(device), device, long.Parse(start, CultureInfo.InvariantCulture), long.Parse(count, CultureInfo.InvariantCulture));
            }
        }
    }

    private static string IdentityOf(string device)
    {
        string loop = $"/sys/dev/block/{device}/loop/backing_file";
        string node = "/dev/" + Path.GetFileName(Path.TrimEndingDirectorySeparator(new DirectoryInfo($"/sys/dev/block/{device}").ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? ""));
        try
        {
            return DiskTarget.Of(File.Exists(loop) ? File.ReadAllText(loop).TrimEnd() : node).Identity;
        }
        catch (IOException)
        {
            // Its file has been removed: nobody can ask for the same.
            return "";
        }
    }

    private static string Table(IEnumerable<Place> places)
    {
        long at = 0;
        List<string> lines = [];
        foreach (Place place in places)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{at} {place.Count} linear {place.Device} {place.Start}"));
            at += place.Count;
        }

        return string.Join('\n', lines);
    }

    private static string FreeName()
    {
        HashSet<string> taken = [.. Mapped().Select(one => one.Name)];
        return Enumerable.Range(0, int.MaxValue).Select(number => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{number}")).First(name => !taken.Contains(name));
    }

    /// <summary>Major and minor number as device-mapper writes them.</summary>
    private static string Decimal(string hexadecimal)
        => string.Join(':', hexadecimal.Split(':').Select(part => int.Parse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)));

    private static async Task<string> RunAsync(string[] arguments, string? input, CancellationToken cancellation)
    {
        try
        {
            return await Programs.RunAsync(Program, arguments, input, cancellation).ConfigureAwait(false);
        }
        catch (ProgramException exception)
        {
            throw new IOException($"{exception.Message} (the Debian package dmsetup has {Program})", exception);
        }
    }
}
