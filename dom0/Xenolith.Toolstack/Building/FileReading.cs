// Reading of files that must not be shorter than they were.
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Building;

/// <summary>Reads straight into the memory of a domain, without a copy in between.</summary>
internal static class FileReading
{
    /// <exception cref="EndOfStreamException">The file has become shorter.</exception>
    internal static void ReadAll(SafeFileHandle file, Span<byte> to, long offset)
    {
        while (!to.IsEmpty)
        {
            int count = RandomAccess.Read(file, to, offset);
            if (count == 0)
            {
                throw new EndOfStreamException("the file has become shorter while it was read");
            }

            to = to[count..];
            offset += count;
        }
    }
}
