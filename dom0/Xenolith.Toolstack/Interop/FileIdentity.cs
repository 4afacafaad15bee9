// What tells one state of a file from all others.
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Interop;

/// <summary>Device, inode, length and times: a file that is written, replaced or moved in place of another has a new one.</summary>
internal static unsafe class FileIdentity
{
    /// <summary>A name of hexadecimal digits and hyphens.</summary>
    /// <exception cref="IOException">The file system does not tell.</exception>
    internal static string Of(SafeFileHandle file)
    {
        LibC.FileStatus status;
        if (LibC.Status(file, &status) != 0)
        {
            throw new IOException($"the file's state cannot be read (error {(int)LibC.LastError()})");
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{status.Device:x}-{status.Inode:x}-{status.Bytes:x}-{status.ModifiedSeconds:x}.{status.ModifiedNanoseconds:x}-{status.ChangedSeconds:x}.{status.ChangedNanoseconds:x}");
    }
}
