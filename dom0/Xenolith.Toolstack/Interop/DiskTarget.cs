// What a path of Domain 0 is as a disk.
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Interop;

/// <summary>A file or a block device that a disk is kept in.</summary>
/// <param name="Path">Where.</param>
/// <param name="IsBlockDevice">It is a block device.</param>
/// <param name="Identity">The same for all names of the same disk.</param>
/// <param name="DeviceNumber">A block device: major and minor number as back ends read them, in hexadecimal.</param>
internal readonly record struct DiskTarget(string Path, bool IsBlockDevice, string Identity, string DeviceNumber)
{
    private const uint KindMask = 0xF000;
    private const uint BlockKind = 0x6000;
    private const uint FileKind = 0x8000;

    /// <summary>Bytes of an open file or block device.</summary>
    internal static unsafe long LengthOf(SafeFileHandle disk)
    {
        const nuint GetBytes = 0x80081272;
        ulong bytes;
        return LibC.Control(disk, GetBytes, &bytes) == 0 ? (long)bytes : RandomAccess.GetLength(disk);
    }

    /// <summary>Looks at a path.</summary>
    /// <exception cref="IOException">There is nothing, or something that cannot be a disk.</exception>
    internal static unsafe DiskTarget Of(string path)
    {
        using SafeFileHandle file = LibC.Open(path, LibC.ReadOnly | LibC.NonBlocking);
        LibC.FileStatus status;
        if (file.IsInvalid || LibC.Status(file, &status) != 0)
        {
            throw new IOException($"there is no file or block device {path} in Domain 0, or it cannot be opened (error {(int)LibC.LastError()})");
        }

        ulong major = ((status.OwnDevice >> 8) & 0xFFF) | ((status.OwnDevice >> 32) & ~0xFFFUL);
        ulong minor = (status.OwnDevice & 0xFF) | ((status.OwnDevice >> 12) & ~0xFFUL);
        return (status.Mode & KindMask) switch
        {
            BlockKind => new DiskTarget(path, true, string.Create(CultureInfo.InvariantCulture, $"device {major:x}:{minor:x}"), string.Create(CultureInfo.InvariantCulture, $"{major:x}:{minor:x}")),
            FileKind => new DiskTarget(path, false, string.Create(CultureInfo.InvariantCulture, $"file {status.Device:x} {status.Inode:x}"), ""),
            _ => throw new IOException($"{path} is neither a file nor a block device, so it cannot be a disk"),
        };
    }
}
