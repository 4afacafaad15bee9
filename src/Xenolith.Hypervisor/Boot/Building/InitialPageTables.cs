// The page tables that a kernel finds at its start.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>
/// Writes tables as ordinary pages, the way a guest would; afterwards the page-type code checks them like any guest's.
/// </summary>
internal ref struct InitialPageTables
{
    private const ulong TableFlags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.User | PageTableEntry.Accessed | PageTableEntry.Dirty;
    private const ulong KernelPage = PageTableEntry.Present | PageTableEntry.User | PageTableEntry.Accessed | PageTableEntry.GuestKernel;

    private readonly ref DomainPages _pages;
    private ulong _nextTable;

    /// <summary>Tables are taken from page <paramref name="firstTable"/> on; the first is the root.</summary>
    internal InitialPageTables(ref DomainPages pages, ulong firstTable)
    {
        _pages = ref pages;
        _nextTable = firstTable;
        Root = NewTable();
    }

    internal Mfn Root { get; }

    /// <summary>Page of the next table.</summary>
    internal readonly ulong NextTable => _nextTable;

    /// <summary>Goes on taking tables from another page on.</summary>
    internal void TakeTablesFrom(ulong page) => _nextTable = page;

    /// <summary>Maps one page.</summary>
    internal void Map(ulong address, ulong page, bool isWritable)
    {
        Mfn table = Root;
        for (int shift = 39; shift > 12; shift -= 9)
        {
            ref ulong slot = ref PhysicalMemory.Word(table, (int)(address >> shift));
            if (slot == 0)
            {
                slot = new PageTableEntry(NewTable(), TableFlags).Value;
            }

            table = new PageTableEntry(slot).Frame;
        }

        ulong flags = KernelPage | (isWritable ? PageTableEntry.Writable | PageTableEntry.Dirty : 0);
        PhysicalMemory.Word(table, (int)(address >> 12)) = new PageTableEntry(_pages[page], flags).Value;
    }

    private Mfn NewTable()
    {
        Mfn table = _pages[_nextTable++];
        PhysicalMemory.Clear(table);
        return table;
    }
}
