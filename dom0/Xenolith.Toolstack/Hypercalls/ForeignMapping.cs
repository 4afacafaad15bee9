// Pages of another domain in this process.
using System.Buffers;
using System.Runtime.InteropServices;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>
/// The domain may change what stands there at any moment: read once, then check. A frame that is mapped writable cannot become a page
/// table, so a builder unmaps tables before it pins them.
/// </summary>
public abstract class ForeignMapping : IDisposable
{
    /// <summary>Bytes of a page.</summary>
    public const int PageBytes = 4096;

    /// <summary>Mapped pages.</summary>
    public abstract int PageCount { get; }

    /// <summary>One page; only until the mapping is disposed of.</summary>
    public abstract Span<byte> Page(int index);

    /// <summary>A page as 512 words.</summary>
    public Span<ulong> Words(int index) => MemoryMarshal.Cast<byte, ulong>(Page(index));

    /// <summary>A page for code that keeps it in a field; using it after the mapping's end fails as <see cref="Page"/> does.</summary>
    public Memory<byte> PageMemory(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)PageCount, nameof(index));
        return new PageMemoryManager(this, index).Memory;
    }

    /// <summary>As many bytes from an offset on as lie in one piece in this process, at least to the page's end.</summary>
    public virtual Span<byte> Piece(long offset) => Page((int)(offset / PageBytes))[(int)(offset % PageBytes)..];

    /// <summary>Copies bytes to an offset from the mapping's start.</summary>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> piece = Piece(offset);
            int count = Math.Min(piece.Length, bytes.Length);
            bytes[..count].CopyTo(piece);
            bytes = bytes[count..];
            offset += count;
        }
    }

    /// <summary>Makes bytes zero.</summary>
    public void Clear(long offset, long bytes)
    {
        while (bytes > 0)
        {
            Span<byte> piece = Piece(offset);
            int count = (int)Math.Min(piece.Length, bytes);
            piece[..count].Clear();
            bytes -= count;
            offset += count;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Unmap();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the mapping; may be called again.</summary>
    protected abstract void Unmap();

    private sealed class PageMemoryManager(ForeignMapping mapping, int index) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => mapping.Page(index);

        public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException("a mapped page does not move; use its span");

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
