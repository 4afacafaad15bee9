// Block devices of Domain 0: as they are, of files by loop, of QEMU's images by a user-space server.
using System.Globalization;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Interop;

namespace Xenod.Devices;

/// <summary>Domain 0's means to make block devices of disks: none for block devices, loop for files, qemu-nbd for qcow2, device-mapper for extents.</summary>
internal sealed class DiskServers : IDiskServers
{
    private const string Server = "qemu-nbd";

    private sealed class BlockDevice(DiskTarget target) : IServedDisk
    {
        public string Path => target.Path;

        public string Number => target.DeviceNumber;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class LoopDisk(LoopDevice device) : IServedDisk
    {
        public string Path => device.Path;

        public string Number { get; } = DiskTarget.Of(device.Path).DeviceNumber;

        public ValueTask DisposeAsync()
        {
            device.Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class ImageDisk(string path) : IServedDisk
    {
        public string Path => path;

        public string Number { get; } = DiskTarget.Of(path).DeviceNumber;

        public async ValueTask DisposeAsync() => await Programs.RunAsync(Server, ["--disconnect", path]).ConfigureAwait(false);
    }

    public string IdentityOf(string target) => DiskTarget.Of(target).Identity;

    public async Task<IServedDisk> ServeAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        DiskTarget target = DiskTarget.Of(disk.Target);
        await Programs.TryLoadModuleAsync("xen-blkback", cancellation).ConfigureAwait(false);
        switch (disk.Format)
        {
            case DiskFormat.Raw when target.IsBlockDevice:
                return new BlockDevice(target);
            case DiskFormat.Raw:
                await Programs.LoadModuleAsync("loop", cancellation).ConfigureAwait(false);
                return new LoopDisk(LoopDevice.Attach(disk.Target, disk.IsReadOnly));
            case DiskFormat.Qcow2:
                return await ServeImageAsync(disk, cancellation).ConfigureAwait(false);
            case DiskFormat.Extents:
                return await ExtentDisks.ServeAsync(disk, cancellation).ConfigureAwait(false);
            case DiskFormat.Empty:
                throw new IOException($"a drive without a medium ({disk.Device.Name}) cannot be served: leave it out, and attach the disk when there is one");
            default:
                throw new IOException($"{disk.Target}: disks in the format {disk.Format} are not served; make a qcow2 or raw one of it with 'qemu-img convert'");
        }
    }

    public async Task ReleaseAsync(string path)
    {
        await ExtentDisks.ReleaseAsync(path).ConfigureAwait(false);

        // A loop device goes by itself when its last user has gone.
        if (path.StartsWith("/dev/nbd", StringComparison.Ordinal) && File.Exists(PidFile(path)))
        {
            await Programs.RunAsync(Server, ["--disconnect", path]).ConfigureAwait(false);
        }
    }

    public Task ReleaseAllButAsync(IReadOnlySet<string> used) => ExtentDisks.ReleaseAllButAsync(used);

    private static async Task<IServedDisk> ServeImageAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        await Programs.LoadModuleAsync("nbd", cancellation).ConfigureAwait(false);
        for (int number = 0; Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/sys/block/nbd{number}")); number++)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/dev/nbd{number}");
            if (!File.Exists(PidFile(path)))
            {
                string[] access = disk.IsReadOnly ? ["--read-only"] : [];
                try
                {
                    await Programs.RunAsync(Server, [.. access, "--cache=none", "--format=qcow2", "--fork", $"--connect={path}", disk.Target], null, cancellation).ConfigureAwait(false);
                    return new ImageDisk(path);
                }
                catch (ProgramException exception)
                {
                    throw new IOException($"{disk.Target} is not served: {exception.Message} (the Debian package qemu-utils has {Server})", exception);
                }
            }
        }

        throw new IOException($"{disk.Target}: all of Domain 0's network block devices are in use; load the module nbd with a greater nbds_max");
    }

    // The kernel names there who serves the device.
    private static string PidFile(string path) => $"/sys/block/{Path.GetFileName(path)}/pid";
}
