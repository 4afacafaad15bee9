// Finds what a guest's own disk boots.
using System.Text;
using Microsoft.Win32.SafeHandles;
using Xenolith.Toolstack.Interop;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>
/// Looks on a disk for what its boot loader would start, and copies kernel and RAM disk out of it. The disk is only read, by no kernel's driver, and
/// whatever is on it may be a guest's attack: it ends in a <see cref="BootDiskException"/>.
/// </summary>
/// <example><code>
/// BootFiles files = await BootDisk.ExtractAsync("/srv/web.img", new BootFileStore());
/// BuildRequest request = new() { Name = "web", KernelPath = files.Kernel, RamDiskPath = files.RamDisk, CommandLine = files.CommandLine, Memory = 512 };
/// </code></example>
public static class BootDisk
{
    private const long LargestKernel = 128L << 20;
    private const long LargestRamDisk = 1024L << 20;
    private const long LargestConfiguration = 1 << 20;

    private static readonly string[] s_configurations = ["/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"];

    // Debian's links to its newest kernel, for disks without a boot loader.
    private static readonly (string Kernel, string RamDisk)[] s_links = [("/vmlinuz", "/initrd.img"), ("/boot/vmlinuz", "/boot/initrd.img")];

    /// <summary>Copies what a disk boots into a store.</summary>
    /// <param name="disk">A raw disk: a file or a block device.</param>
    /// <param name="store">Where the copies go.</param>
    /// <param name="cancellation">Ends it; nothing is left of it then.</param>
    /// <exception cref="BootDiskException">Nothing to boot is found.</exception>
    public static Task<BootFiles> ExtractAsync(string disk, BootFileStore store, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(disk);
        ArgumentNullException.ThrowIfNull(store);
        return Task.Run(() => Extract(disk, store, cancellation), cancellation);
    }

    private static BootFiles Extract(string disk, BootFileStore store, CancellationToken cancellation)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(disk, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            DiskWindow whole = new(file, 0, DiskTarget.LengthOf(file));
            List<ExtFileSystem> systems = [.. PartitionTable.Read(whole).Select(ExtFileSystem.TryOpen).OfType<ExtFileSystem>()];
            if (systems.Count == 0)
            {
                throw new InvalidDataException("it has no ext2, ext3 or ext4 file system; name a kernel file of Domain 0 instead");
            }

            foreach (ExtFileSystem system in systems)
            {
                if (Find(system) is { Kernel: { } kernel } entry)
                {
                    return Keep(system, kernel, entry, store, cancellation);
                }
            }

            throw new InvalidDataException("neither a GRUB configuration with a kernel nor /vmlinuz is on it; install the guest's boot loader or its kernel, or name a kernel file of Domain 0");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new BootDiskException($"{disk} cannot be booted from: {exception.Message}", exception);
        }
    }

    private static BootEntry? Find(ExtFileSystem system)
    {
        foreach (string path in s_configurations)
        {
            if (system.TryFind(path) is { IsRegular: true } file)
            {
                string environment = system.TryFind(path.Replace("grub.cfg", "grubenv", StringComparison.Ordinal)) is { IsRegular: true } saved ? Text(saved, "grubenv") : "";
                return GrubConfiguration.Choose(Text(file, path), GrubConfiguration.ReadEnvironment(environment));
            }
        }

        foreach ((string kernel, string ramDisk) in s_links)
        {
            if (system.TryFind(kernel) is { IsRegular: true })
            {
                return new BootEntry(kernel, kernel, system.TryFind(ramDisk) is { IsRegular: true } ? [ramDisk] : [], "");
            }
        }

        return null;
    }

    private static BootFiles Keep(ExtFileSystem system, string kernel, BootEntry entry, BootFileStore store, CancellationToken cancellation)
    {
        ExtFile file = Required(system, kernel, LargestKernel);
        List<ExtFile> parts = [.. entry.RamDisks.Select(path => Required(system, path, LargestRamDisk))];
        string keptKernel = store.Keep(to => file.CopyTo(to, cancellation));
        string? ramDisk = parts.Count == 0 ? null : store.Keep(to => parts.ForEach(part => part.CopyTo(to, cancellation)));
        return new BootFiles(entry.Title, keptKernel, ramDisk, entry.CommandLine);
    }

    private static ExtFile Required(ExtFileSystem system, string path, long largest) => system.TryFind(path) switch
    {
        { IsRegular: true } file when file.Length <= largest => file,
        { IsRegular: true } file => throw new InvalidDataException($"{path} on it has {file.Length} bytes; {largest} are the most"),
        _ => throw new InvalidDataException($"its boot loader names {path}, which is not on the same file system"),
    };

    private static string Text(ExtFile file, string path)
    {
        if (file.Length > LargestConfiguration)
        {
            throw new InvalidDataException($"{path} on it has {file.Length} bytes; {LargestConfiguration} are the most");
        }

        using MemoryStream text = new();
        file.CopyTo(text, CancellationToken.None);
        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}

/// <summary>What a disk boots.</summary>
/// <param name="Title">What its boot menu calls it.</param>
/// <param name="Kernel">A copy of the kernel's file.</param>
/// <param name="RamDisk">A copy of the RAM disk, if there is one.</param>
/// <param name="CommandLine">What the boot loader tells the kernel.</param>
public sealed record BootFiles(string Title, string Kernel, string? RamDisk, string CommandLine);
