// Page tables of the guest.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Entries, walks through the live tables, and making tables of plain pages.</summary>
internal static unsafe class PageTables
{
    internal const ulong Present = 1;
    internal const ulong Writable = 2;
    internal const ulong User = 4;
    internal const ulong WriteThrough = 8;
    internal const ulong CacheDisable = 0x10;
    internal const ulong Accessed = 0x20;
    internal const ulong Dirty = 0x40;
    internal const ulong Large = 0x80;
    internal const ulong Global = 0x100;
    internal const ulong NoExecute = 1UL << 63;
    internal const ulong KernelMark = 1UL << 52;
    internal const ulong FrameMask = 0x000F_FFFF_FFFF_F000;
    internal const ulong KernelReadable = Present | Accessed;
    internal const ulong KernelWritable = Present | Writable | Accessed | Dirty;
    internal const ulong Table = Present | Writable | User | Accessed | Dirty;
    internal const ulong UserWritable = Present | Writable | User | Accessed | Dirty;

    internal static int Index(ulong address, int level) => (int)(address >> (3 + (9 * level))) & 511;

    /// <summary>The live entry that an address uses at a level (1 to 4), as the guest's read-only mapping of the table; null when there is none.</summary>
    internal static ulong* Entry(ulong address, int level)
    {
        ulong* table = Memory.Root;
        for (int at = 4; at > level; at--)
        {
            ulong entry = table[Index(address, at)];
            if ((entry & Present) == 0)
            {
                return null;
            }

            table = (ulong*)Memory.Address((entry & FrameMask) >> 12);
        }

        return table + Index(address, level);
    }

    /// <summary>Machine address of a live entry, for mmu_update.</summary>
    internal static ulong EntryMachine(ulong address, int level) => Memory.Machine(Entry(address, level));

    /// <summary>Takes the write right from the guest's mapping of one of its pages.</summary>
    internal static long MakeReadOnly(void* page) => Xen.UpdateVaMapping((ulong)page, (Memory.Frame(page) << 12) | KernelReadable);

    internal static long MakeWritable(void* page) => Xen.UpdateVaMapping((ulong)page, (Memory.Frame(page) << 12) | KernelWritable);

    /// <summary>Adds a mapping to tables that are still plain memory, with the tables that are missing.</summary>
    internal static void Add(ulong* root, ulong address, ulong entry)
    {
        ulong* table = root;
        for (int level = 4; level > 1; level--)
        {
            ulong* slot = table + Index(address, level);
            if ((*slot & Present) == 0)
            {
                *slot = Memory.Machine(Memory.TakePage()) | Table;
            }

            table = (ulong*)Memory.Address((*slot & FrameMask) >> 12);
        }

        table[Index(address, 1)] = entry;
    }

    /// <summary>Makes a tree of tables read-only, so that it can be pinned or entered into live tables.</summary>
    internal static long Protect(ulong* table, int level)
    {
        long result = 0;
        for (int i = 0; level > 1 && i < 512; i++)
        {
            if ((table[i] & Present) != 0)
            {
                result |= Protect((ulong*)Memory.Address((table[i] & FrameMask) >> 12), level - 1);
            }
        }

        return result | MakeReadOnly(table);
    }

    /// <summary>Enters into the live kernel tables a mapping at an address whose level-4 slot is free.</summary>
    internal static long AddLive(ulong address, ulong entry)
    {
        ulong* level3 = (ulong*)Memory.TakePage();
        ulong* level2 = (ulong*)Memory.TakePage();
        ulong* level1 = (ulong*)Memory.TakePage();
        level1[Index(address, 1)] = entry;
        level2[Index(address, 2)] = Memory.Machine(level1) | Table;
        level3[Index(address, 3)] = Memory.Machine(level2) | Table;
        long result = Protect(level3, 3);
        return result != 0 ? result : Xen.MmuUpdate(EntryMachine(address, 4), Memory.Machine(level3) | Table);
    }
}
