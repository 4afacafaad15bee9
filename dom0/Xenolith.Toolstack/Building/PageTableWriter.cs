// The page tables that a kernel finds at its start.
namespace Xenolith.Toolstack.Building;

/// <summary>Takes tables from consecutive zeroed pages, the root first. The hypervisor checks them like any that the domain writes.</summary>
internal ref struct PageTableWriter
{
    private const ulong Present = 1;
    private const ulong Writable = 1 << 1;
    private const ulong User = 1 << 2;
    private const ulong Accessed = 1 << 5;
    private const ulong Dirty = 1 << 6;
    private const ulong TableFlags = Present | Writable | User | Accessed | Dirty;
    private const ulong PageFlags = Present | Accessed;
    private const int Slots = 512;

    private readonly ReadOnlySpan<ulong> _frames;
    private readonly MappedPages _pages;

    // Entries hold frames, and the builder reaches pages.
    private readonly Dictionary<ulong, ulong> _tablePages = [];
    private readonly ulong _root;
    private ulong _nextTable;

    /// <summary>The root is page <paramref name="root"/>, and the tables behind it are taken next.</summary>
    internal PageTableWriter(ReadOnlySpan<ulong> frames, MappedPages pages, ulong root)
    {
        _frames = frames;
        _pages = pages;
        _root = root;
        _nextTable = root + 1;
    }

    /// <summary>Page of the next table.</summary>
    internal readonly ulong NextTable => _nextTable;

    /// <summary>Goes on taking tables from another page on.</summary>
    internal void TakeTablesFrom(ulong page) => _nextTable = page;

    /// <summary>Maps consecutive pages from an address on; those from <paramref name="readOnlyStart"/> to <paramref name="readOnlyEnd"/> only to be read.</summary>
    internal void Map(ulong address, ulong firstPage, ulong count, ulong readOnlyStart, ulong readOnlyEnd)
    {
        for (ulong page = firstPage; page < firstPage + count;)
        {
            Span<ulong> leaf = LeafTable(address);
            for (int slot = SlotOf(address, 12); slot < Slots && page < firstPage + count; slot++, page++, address += 4096)
            {
                bool isReadOnly = page >= readOnlyStart && page < readOnlyEnd;
                leaf[slot] = (_frames[(int)page] << 12) | PageFlags | (isReadOnly ? 0 : Writable);
            }
        }
    }

    private static int SlotOf(ulong address, int shift) => (int)(address >> shift) & (Slots - 1);

    private Span<ulong> LeafTable(ulong address)
    {
        ulong page = _root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ref ulong slot = ref _pages.Words(page)[SlotOf(address, shift)];
            if (slot == 0)
            {
                ulong table = _nextTable++;
                _tablePages.Add(_frames[(int)table], table);
                slot = (_frames[(int)table] << 12) | TableFlags;
            }

            page = _tablePages[slot >> 12];
        }

        return _pages.Words(page);
    }
}
