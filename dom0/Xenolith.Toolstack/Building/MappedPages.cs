// Pages of a domain that the builder writes, by page number.
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Building;

/// <summary>Two ranges of pages in one mapping.</summary>
internal sealed class MappedPages(ForeignMapping mapping, (ulong First, int Count) range, (ulong First, int Count) other) : IDisposable
{
    internal Span<byte> Page(ulong page) => mapping.Page(IndexOf(page));

    internal Span<ulong> Words(ulong page) => mapping.Words(IndexOf(page));

    /// <summary>Makes everything zero.</summary>
    internal void Clear() => mapping.Clear(0, (long)mapping.PageCount * ForeignMapping.PageBytes);

    public void Dispose() => mapping.Dispose();

    private int IndexOf(ulong page)
    {
        ulong index = page - range.First;
        return index < (ulong)range.Count ? (int)index
            : page - other.First < (ulong)other.Count ? range.Count + (int)(page - other.First)
            : throw new ArgumentOutOfRangeException(nameof(page), page, "the page is not mapped");
    }
}
