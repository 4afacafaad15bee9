// Fetches kernels from the disks of domains.
using Xenod.Devices;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Interop;

namespace Xenod.Domains;

/// <summary>Does for a domain without a kernel of its own what a machine's boot loader does: starts what its first disk says.</summary>
internal sealed class BootLoader(IDiskServers servers, BootFileStore store)
{
    /// <summary>The configuration with kernel, RAM disk and command line from the domain's first disk; its own words come behind the disk's.</summary>
    /// <exception cref="BootDiskException">There is nothing to boot.</exception>
    internal async Task<DomainConfiguration> LoadAsync(DomainConfiguration configuration, DeviceSettings devices, CancellationToken cancellation)
    {
        DiskSpecification disk = devices.Disks.Select(DiskParser.Parse).FirstOrDefault(disk => !disk.IsCdrom)
            ?? throw new BootDiskException("the domain has neither a kernel nor a disk that holds one; attach a disk, or name a kernel");
        try
        {
            if (disk.Format == DiskFormat.Raw)
            {
                return With(configuration, await BootDisk.ExtractAsync(disk.Target, store, cancellation).ConfigureAwait(false));
            }

            await using IServedDisk served = await servers.ServeAsync(disk with { IsReadOnly = true }, cancellation).ConfigureAwait(false);
            return With(configuration, await BootDisk.ExtractAsync(served.Path, store, cancellation).ConfigureAwait(false));
        }
        catch (Exception exception) when (exception is IOException or ProgramException)
        {
            throw new BootDiskException($"{disk.Target} cannot be booted from: {exception.Message}", exception);
        }
    }

    private static DomainConfiguration With(DomainConfiguration configuration, BootFiles files) => configuration with
    {
        Kernel = files.Kernel,
        Ramdisk = files.RamDisk ?? configuration.Ramdisk,
        CommandLine = string.Join(' ', ((string[])[files.CommandLine, configuration.CommandLine]).Where(words => words.Length != 0)),
    };
}
