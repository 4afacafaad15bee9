// tables: entries of levels 2 to 4, pinning, and what may become a page table.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class TablesProgram
{
    private const ulong Free = 0x0000_1000_0000_0000;
    private const int FreeSlot = 32;

    private static ulong* s_level4;
    private static ulong* s_level3;
    private static ulong* s_level2;
    private static ulong* s_level1;
    private static byte* s_page;

    [RuntimeExport("guest_tables")]
    private static void Main()
    {
        Traps.Start();
        Build();
        Flags();
        WrongTypes();
        Pins();
        Promotion();
        Slots();
        Roots();
        Pages();
    }

    /// <summary>A tree of one table per level that maps one page at Free.</summary>
    private static void Build()
    {
        s_level4 = (ulong*)Memory.TakePage();
        s_level3 = (ulong*)Memory.TakePage();
        s_level2 = (ulong*)Memory.TakePage();
        s_level1 = (ulong*)Memory.TakePage();
        s_page = Memory.TakePage();
        s_level1[0] = Memory.Machine(s_page) | PageTables.KernelWritable;
        s_level2[0] = Memory.Machine(s_level1) | PageTables.Table;
        s_level3[0] = Memory.Machine(s_level2) | PageTables.Table;
        s_level4[FreeSlot] = Memory.Machine(s_level3) | PageTables.Table;
        Report.Result(PageTables.Protect(s_level4, 4), XenError.None, "the tables are read-only"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 4), s_level4[FreeSlot]), XenError.None, "a new level-3 table"u8);
        *(ulong*)Free = 0x1122_3344;
        Report.Same(*(ulong*)s_page, 0x1122_3344, "the page by its new address"u8);
        Report.Same(s_level1[0] & (PageTables.User | PageTables.KernelMark), PageTables.User | PageTables.KernelMark, "promotion adjusts level 1"u8);
    }

    private static void Flags()
    {
        Flag(s_level2, s_level1, "level 2"u8);
        Flag(s_level3, s_level2, "level 3"u8);
        ulong slot = PageTables.EntryMachine(Free, 4);
        ulong entry = Memory.Machine(s_level3) | PageTables.Table;
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.Large), XenError.Invalid, "PS at level 4"u8);
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.CacheDisable), XenError.Invalid, "PCD at level 4"u8);
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.Global), XenError.Invalid, "G at level 4"u8);
        Report.Result(Xen.MmuUpdate(slot, (entry & ~PageTables.User & ~PageTables.Accessed) | 0x200), XenError.None, "flags at level 4"u8);
        Report.Same(*PageTables.Entry(Free, 4) & (PageTables.User | PageTables.Accessed | 0x200), PageTables.User | PageTables.Accessed | 0x200, "level 4 gains U and A"u8);
        Report.Result(Xen.MmuUpdate(slot, entry), XenError.None, "the plain entry"u8);
    }

    private static void Flag(ulong* table, ulong* child, ReadOnlySpan<byte> what)
    {
        ulong slot = Memory.Machine(table);
        ulong entry = Memory.Machine(child) | PageTables.Table;
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.Large), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.CacheDisable), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.WriteThrough), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot, entry | PageTables.Global), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot, entry | (1UL << 51)), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot + 8, (0x20_0000UL * 100) | PageTables.Table | PageTables.Large), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot | MmuUpdate.PreserveAccessedDirty, entry | PageTables.Large), XenError.Invalid, what);
        Report.Result(Xen.MmuUpdate(slot, (entry & ~PageTables.User) | PageTables.NoExecute | 0xE00), XenError.None, what);
        Report.Same(*table & (PageTables.User | PageTables.NoExecute | 0xE00), PageTables.User | PageTables.NoExecute | 0xE00, what);
        Report.Result(Xen.MmuUpdate(slot, entry), XenError.None, what);
        Report.Result(Xen.MmuUpdate(slot + 8, PageTables.Large | PageTables.CacheDisable | (1UL << 51)), XenError.None, what);
        Report.Same(table[1], PageTables.Large | PageTables.CacheDisable | (1UL << 51), what);
        Report.Result(Xen.MmuUpdate(slot + 8, 0), XenError.None, what);
        Report.Same(*(ulong*)Free, 0x1122_3344, what);
    }

    private static void WrongTypes()
    {
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level3) + 8, Memory.Machine(s_level1) | PageTables.Table), XenError.Invalid, "level 3 to level 1"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, Memory.Machine(s_level3) | PageTables.Table), XenError.Invalid, "level 2 to level 3"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, Memory.Machine(s_page) | PageTables.Table), XenError.Invalid, "level 2 to a page mapped writable"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, (1UL << 39) | PageTables.Table), XenError.Invalid, "level 2 to nothing"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, 0xB_8000 | PageTables.Table), XenError.Invalid, "level 2 to device memory"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, Memory.Machine(s_level1) | PageTables.Table), XenError.None, "level 2 to level 1 once more"u8);
        Report.Same(*(ulong*)(Free + 0x20_0000), 0x1122_3344, "the page by its second address"u8);
        Report.Result(PageTables.MakeWritable(s_level1), XenError.Busy, "a table in use, to write"u8);
        Report.Result(PageTables.MakeWritable(s_level3), XenError.Busy, "a table of level 3 in use, to write"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2) + 8, 0), XenError.None, "the second address ends"u8);
        Report.Result(PageTables.MakeWritable(s_level1), XenError.Busy, "a table that is still in use, to write"u8);
    }

    private static void Pins()
    {
        ulong frame = Memory.Frame(s_level1);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, frame), XenError.Invalid, "unpin what is not pinned"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL2Table, frame), XenError.Invalid, "pin level 1 as level 2"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, frame), XenError.None, "pin level 1"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, frame), XenError.Invalid, "pin it twice"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2), 0), XenError.None, "take it out of its parent"u8);
        Report.Result(PageTables.MakeWritable(s_level1), XenError.Busy, "a pinned table, to write"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, frame), XenError.None, "unpin it"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, frame), XenError.Invalid, "unpin it twice"u8);
        Report.Result(PageTables.MakeWritable(s_level1), XenError.None, "a page that is no table any more, to write"u8);
        s_level1[1] = 0x54;
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, frame), XenError.Invalid, "pin a page that is mapped writable"u8);
        Report.Result(PageTables.MakeReadOnly(s_level1), XenError.None, "read-only again"u8);
        for (uint command = 0; command < 4; command++)
        {
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, 1UL << 38), XenError.Invalid, "pin nothing"u8);
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, 0xB8), XenError.Invalid, "pin device memory"u8);
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, Memory.Frame(s_page)), XenError.Invalid, "pin a page mapped writable"u8);
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, frame, 0, 0), XenError.NoSuchDomain, "pin for the own domain by its number"u8);
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, frame, 0, 3), XenError.NoSuchDomain, "pin for no domain"u8);
        }

        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, 1UL << 38), XenError.Invalid, "unpin nothing"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(s_page)), XenError.Invalid, "unpin a page"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(s_level2), Memory.Machine(s_level1) | PageTables.Table), XenError.None, "back into its parent"u8);
        Report.Same(s_level1[1], 0x54, "an entry that is not present was kept"u8);
        Report.Same(*(ulong*)Free, 0x1122_3344, "the page is back"u8);
    }

    /// <summary>A page with one bad entry does not become a table, and nothing stays taken.</summary>
    private static void Promotion()
    {
        ulong* bad = (ulong*)Memory.TakePage();
        byte* target = Memory.TakePage();
        for (int level = 1; level <= 4; level++)
        {
            PageTables.MakeWritable(bad);
            for (int i = 0; i < 512; i++)
            {
                bad[i] = 0;
            }

            ulong child = level == 1 ? Memory.Machine(target) | PageTables.KernelWritable
                : Memory.Machine(level == 2 ? s_level1 : level == 3 ? s_level2 : s_level3) | PageTables.Table;
            bad[0] = child;
            bad[511] = child;
            bad[255] = child | (1UL << 51);
            PageTables.MakeReadOnly(bad);
            MmuExtendedCommand pin = (MmuExtendedCommand)(level - 1);
            Report.Result(Xen.MmuExtended(pin, Memory.Frame(bad)), XenError.Invalid, "a table with a bad entry"u8);
            Report.Result(PageTables.MakeWritable(bad), XenError.None, "which then is no table"u8);
            bad[255] = 0;
            if (level == 4)
            {
                // The hypervisor's slots are not looked at, but overwritten.
                bad[256] = 0xFFF;
                bad[271] = 0xDEAD_BEE1;
            }

            PageTables.MakeReadOnly(bad);
            Report.Result(Xen.MmuExtended(pin, Memory.Frame(bad)), XenError.None, "a table without the bad entry"u8);
            Report.Check(level != 4 || bad[271] != 0xDEAD_BEE1, "the hypervisor's slots are its own"u8);
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(bad)), XenError.None, "and no table again"u8);
        }

        PageTables.MakeWritable(bad);
        PageTables.MakeReadOnly(target);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(target)), XenError.None, "nothing stayed taken of the target"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(target)), XenError.None, "the target again"u8);

        // A table below with a bad entry, found in the middle of the promotion.
        ulong* good = (ulong*)Memory.TakePage();
        good[0] = Memory.Machine(s_level1) | PageTables.Table;
        good[7] = Memory.Machine(bad) | PageTables.Table;
        for (int i = 0; i < 512; i++)
        {
            bad[i] = 0;
        }

        bad[3] = Memory.Machine(s_page) | PageTables.KernelReadable;
        bad[4] = Memory.Machine(Memory.Root) | PageTables.KernelWritable;
        PageTables.MakeReadOnly(bad);
        PageTables.MakeReadOnly(good);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL2Table, Memory.Frame(good)), XenError.Invalid, "a table with a bad table"u8);
        Report.Result(PageTables.MakeWritable(good), XenError.None, "neither is the upper a table"u8);
        Report.Result(PageTables.MakeWritable(bad), XenError.None, "nor the lower"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(s_level1)), XenError.None, "the good one is still a table"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(s_level1)), XenError.None, "and can be unpinned"u8);
    }

    private static void Slots()
    {
        ulong root = Memory.Machine(Memory.Root);
        for (ulong slot = 256; slot < 272; slot++)
        {
            Report.Result(Xen.MmuUpdate(root + (slot * 8), 0), XenError.Invalid, "a slot of the hypervisor, cleared"u8);
            Report.Result(Xen.MmuUpdate(root + (slot * 8), Memory.Machine(s_level3) | PageTables.Table), XenError.Invalid, "a slot of the hypervisor"u8);
        }

        Report.Result(Xen.MmuUpdate(root + (272 * 8), Memory.Machine(s_level3) | PageTables.Table), XenError.None, "the slot behind them"u8);
        Report.Same(*(ulong*)0xFFFF_8800_0000_0000, 0x1122_3344, "the page in the slot behind them"u8);
        Report.Result(Xen.MmuUpdate(root + (272 * 8), 0), XenError.None, "the slot behind them, cleared"u8);
    }

    private static void Roots()
    {
        ulong frame = Memory.Frame(s_level4);
        for (int i = 0; i < 512; i++)
        {
            // s_level4 is plain memory so far, mapped read-only: mmu_update stores anything.
            if (i is < 256 or >= 272)
            {
                Xen.MmuUpdate(Memory.Machine(s_level4 + i), Memory.Root[i]);
            }
        }

        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, Memory.Frame(s_level3)), XenError.Invalid, "a root of level 3"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, 0), XenError.Invalid, "no root"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, 1UL << 38), XenError.Invalid, "a root outside of memory"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, frame), XenError.None, "another root"u8);
        Report.Same(*(ulong*)Free, 0x1122_3344, "the page in the other root"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(Memory.Root)), XenError.None, "the first root unpinned"u8);
        Report.Result(PageTables.MakeWritable(Memory.Root), XenError.None, "the first root is memory now"u8);
        Report.Result(PageTables.MakeWritable(s_level4), XenError.Busy, "the root in use, to write"u8);
        Report.Result(PageTables.MakeReadOnly(Memory.Root), XenError.None, "the first root read-only"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, Memory.Frame(Memory.Root)), XenError.None, "the first root again"u8);
        Report.Result(PageTables.MakeWritable(s_level4), XenError.None, "the other root is memory now"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewUserBasePointer, frame), XenError.Invalid, "a user root that is mapped writable"u8);
        PageTables.MakeReadOnly(s_level4);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewUserBasePointer, frame), XenError.None, "a user root"u8);
        Report.Result(PageTables.MakeWritable(s_level4), XenError.Busy, "the user root, to write"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewUserBasePointer, 0), XenError.None, "no user root"u8);
        Report.Result(PageTables.MakeWritable(s_level4), XenError.None, "the old user root, to write"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 4), 0), XenError.None, "the tables out of the root"u8);
        Report.Result(PageTables.MakeWritable(s_level1), XenError.None, "level 1 is memory again"u8);
        Report.Result(PageTables.MakeWritable(s_level2), XenError.None, "level 2 is memory again"u8);
        Report.Result(PageTables.MakeWritable(s_level3), XenError.None, "level 3 is memory again"u8);
        ProbeRegisters registers = new() { Rcx = Free };
        Report.Same(Traps.Try([0x8B, 0x01], ref registers), 14, "the address is gone"u8);
    }

    private static void Pages()
    {
        byte* from = Memory.TakePage();
        from[100] = 42;
        s_page[100] = 1;
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.CopyPage, Memory.Frame(s_page), Memory.Frame(from)), XenError.None, "copy a page"u8);
        Report.Same(s_page[100], 42, "the copy"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.ClearPage, Memory.Frame(s_page)), XenError.None, "clear a page"u8);
        Report.Same(s_page[100], 0, "the cleared page"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.ClearPage, Memory.Frame(Memory.Root)), XenError.Invalid, "clear a page table"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.CopyPage, Memory.Frame(Memory.Root), Memory.Frame(from)), XenError.Invalid, "copy onto a page table"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.CopyPage, Memory.Frame(s_page), 1UL << 38), XenError.Invalid, "copy from nowhere"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.ClearPage, 0xB8), XenError.Invalid, "clear device memory"u8);
        for (uint command = 6; command <= 11; command++)
        {
            ulong bitmap = 1;
            Report.Result(Xen.MmuExtended((MmuExtendedCommand)command, (ulong)s_page, (ulong)(&bitmap)), XenError.None, "a flush"u8);
        }

        Report.Result(Xen.MmuExtended(MmuExtendedCommand.TlbFlushMulti, 0, 0x1234_5678_9000), XenError.Invalid, "a flush by a bitmap that is not there"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.InvlpgLocal, 0x8000_0000_0000_0000), XenError.None, "a flush of no address"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.InvlpgLocal, 0xFFFF_8300_0000_0000), XenError.None, "a flush of the hypervisor's address"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.FlushCache, 0), XenError.None, "a flush of the caches"u8);
        Report.Result(Xen.MmuExtended((MmuExtendedCommand)14, 0), XenError.NotImplemented, "command 14"u8);
        Report.Result(Xen.MmuExtended((MmuExtendedCommand)21, 0), XenError.NotImplemented, "command 21"u8);
        Report.Result(Xen.MmuExtended((MmuExtendedCommand)0xFFFF_FFFF, 0), XenError.NotImplemented, "command -1"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.MarkSuper, 0), XenError.NotSupported, "superpages"u8);
    }
}
