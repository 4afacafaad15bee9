// A part of a disk that is read, such as a partition.
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>Reads a range of a disk's bytes; what is on the disk is a guest's, so nothing outside of the range is ever read.</summary>
internal sealed class DiskWindow(SafeFileHandle disk, long start, long length)
{
    /// <summary>How many bytes it has.</summary>
    internal long Length => length;

    /// <summary>A part of this one; null when it reaches over the end.</summary>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="bytes">How long it is.</param>
    internal DiskWindow? Part(ulong offset, ulong bytes)
        => offset <= (ulong)length && bytes <= (ulong)length - offset && bytes != 0 ? new DiskWindow(disk, start + (long)offset, (long)bytes) : null;

    /// <summary>Reads bytes; false when they are not all there.</summary>
    internal bool TryRead(ulong offset, Span<byte> to)
    {
        if (offset > (ulong)length || (ulong)to.Length > (ulong)length - offset)
        {
            return false;
        }

        long at = start + (long)offset;
        while (!to.IsEmpty)
        {
            int count = RandomAccess.Read(disk, to, at);
            if (count == 0)
            {
                return false;
            }

            to = to[count..];
            at += count;
        }

        return true;
    }
}
