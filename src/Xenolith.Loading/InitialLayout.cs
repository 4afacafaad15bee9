// Where things lie in a new domain's address space.

namespace Xenolith.Loading;

/// <summary>
/// The initial region from the kernel's virtual base upward: kernel, RAM disk, p2m list, start_info, rings, page tables, stack, padding
/// (public xen.h, "Start-of-day memory layout"). Page numbers are pseudo-physical; page 0 is at the virtual base.
/// </summary>
internal struct InitialLayout
{
    private const ulong RegionAlignment = 4 << 20;
    private const ulong MinimumPadding = 512 << 10;
    private const int TableShift = 9;

    /// <summary>Virtual address of page 0.</summary>
    internal ulong Base;

    /// <summary>First and end page of what the kernel's segments cover.</summary>
    internal ulong KernelStart;
    internal ulong KernelEnd;

    /// <summary>Page of the RAM disk; inside the region or behind it, as the kernel asks.</summary>
    internal ulong RamDisk;
    internal ulong RamDiskPages;
    internal bool IsRamDiskMapped;

    /// <summary>First page of the p2m list.</summary>
    internal ulong P2m;
    internal ulong P2mPages;

    /// <summary>The list is mapped at an address of its own, by tables that follow it.</summary>
    internal bool IsP2mApart;
    internal ulong P2mAddress;
    internal ulong P2mTables;
    internal ulong StartInfo;

    /// <summary>Page of the ring to the xenstore; 0: there is none.</summary>
    internal ulong Xenstore;

    /// <summary>Page of the console ring; 0: there is none.</summary>
    internal ulong Console;
    internal ulong PageTables;
    internal ulong PageTableCount;
    internal ulong Stack;

    /// <summary>Pages of the initial region.</summary>
    internal ulong RegionPages;

    /// <summary>First page that the builder uses for nothing.</summary>
    internal ulong End;

    internal readonly ulong AddressOf(ulong page) => Base + (page << 12);

    /// <summary>Lays everything out for a domain of <paramref name="totalPages"/>. Errors: OverlappingSegments.</summary>
    internal static LoadError TryMake(in XenNotes notes, ulong physicalStart, ulong physicalEnd, ulong totalPages, ulong ramDiskBytes, InitialRings rings, out InitialLayout layout)
    {
        layout = default;
        ulong offset = notes.PhysicalOffset;
        if (physicalStart < offset || physicalEnd <= physicalStart || (notes.VirtualBase & 4095) != 0 || physicalEnd - offset > 1UL << 40)
        {
            return LoadError.OverlappingSegments;
        }

        layout.Base = notes.VirtualBase;
        layout.KernelStart = (physicalStart - offset) >> 12;
        layout.KernelEnd = (physicalEnd - offset + 4095) >> 12;
        layout.RamDiskPages = (ramDiskBytes + 4095) >> 12;
        layout.P2mPages = ((totalPages * 8) + 4095) >> 12;
        layout.IsRamDiskMapped = !notes.ModuleStartIsPfn;
        layout.IsP2mApart = notes.HasInitialP2m;
        ulong next = layout.KernelEnd;
        if (layout.IsRamDiskMapped)
        {
            layout.RamDisk = next;
            next += layout.RamDiskPages;
        }

        if (!layout.IsP2mApart)
        {
            layout.P2m = next;
            layout.P2mAddress = layout.AddressOf(next);
            next += layout.P2mPages;
        }

        layout.StartInfo = next++;
        layout.Xenstore = (rings & InitialRings.Xenstore) != 0 ? next++ : 0;
        layout.Console = (rings & InitialRings.Console) != 0 ? next++ : 0;
        layout.PageTables = next;
        layout.PageTableCount = CountTables(layout.Base, next);
        layout.Stack = next + layout.PageTableCount;
        layout.RegionPages = RegionEnd(layout.Base, layout.Stack + 1);
        next = layout.RegionPages;
        if (!layout.IsRamDiskMapped)
        {
            layout.RamDisk = next;
            next += layout.RamDiskPages;
        }

        if (layout.IsP2mApart)
        {
            layout.P2m = next;
            layout.P2mAddress = notes.InitialP2m;
            layout.P2mTables = TablesFor(layout.P2mAddress, layout.P2mPages) - 1;
            next += layout.P2mPages + layout.P2mTables;
        }

        layout.End = next;
        return layout.AddressOf(layout.RegionPages) < layout.Base ? LoadError.OverlappingSegments : LoadError.None;
    }

    /// <summary>The tables map the region that they are part of: the smallest count that agrees with itself.</summary>
    private static ulong CountTables(ulong start, ulong firstTable)
    {
        ulong count = 0;
        ulong needed;
        while ((needed = TablesFor(start, RegionEnd(start, firstTable + count + 1))) > count)
        {
            count = needed;
        }

        return count;
    }

    private static ulong RegionEnd(ulong start, ulong usedPages)
    {
        ulong used = start + (usedPages << 12);
        ulong end = (used + RegionAlignment - 1) & ~(RegionAlignment - 1);
        return ((end - used < MinimumPadding ? end + RegionAlignment : end) - start) >> 12;
    }

    /// <summary>One L4, and the L3, L2 and L1 tables for a range of pages.</summary>
    private static ulong TablesFor(ulong start, ulong pages)
    {
        ulong first = start >> 12;
        ulong last = (start + (pages << 12) - 1) >> 12;
        ulong count = 1;
        for (int level = 1; level <= 3; level++)
        {
            int shift = level * TableShift;
            count += (last >> shift) - (first >> shift) + 1;
        }

        return count;
    }
}
