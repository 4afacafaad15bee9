// A file as memory.
using Microsoft.Win32.SafeHandles;

namespace Xenolith.Toolstack.Interop;

/// <summary>
/// The whole of a file, at most 2 GiB. Who changes the file meanwhile changes what is read; who cuts it short ends this process, so files
/// that others can write are copied first.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly int _bytes;
    private byte* _start;

    private MappedFile(byte* start, int bytes)
    {
        _start = start;
        _bytes = bytes;
    }

    /// <summary>Its contents; only until it is disposed of.</summary>
    internal Span<byte> Contents
    {
        get
        {
            ObjectDisposedException.ThrowIf(_start is null && _bytes != 0, this);
            return new Span<byte>(_start, _bytes);
        }
    }

    /// <summary>Maps an open file.</summary>
    /// <exception cref="IOException">It cannot be mapped, or is too long.</exception>
    internal static MappedFile Open(SafeFileHandle file, bool isWritable)
    {
        long length = RandomAccess.GetLength(file);
        if (length > int.MaxValue)
        {
            throw new IOException("the file is longer than 2 GiB");
        }

        if (length == 0)
        {
            return new MappedFile(null, 0);
        }

        byte* at = LibC.Map(file, (nuint)length, LibC.ProtectRead | (isWritable ? LibC.ProtectWrite : 0), 0);
        return at is not null ? new MappedFile(at, (int)length) : throw new IOException($"the file cannot be mapped (error {(int)LibC.LastError()})");
    }

    public void Dispose()
    {
        if (_start is not null)
        {
            LibC.Unmap(_start, (nuint)_bytes);
            _start = null;
        }
    }
}
