// linear: tables that map themselves may be read and never written, and no change above level 1 leaves an old translation in force.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class LinearProgram
{
    private const int Slot = 5;
    private const ulong Free = 0x0000_1000_0000_0000;
    private const ulong ReadOnlyTable = PageTables.Present | PageTables.User | PageTables.Accessed;

    [RuntimeExport("guest_linear")]
    private static void Main()
    {
        Traps.Start();
        SelfMapping();
        OtherTable();
        Flushes();
    }

    /// <summary>Where level-1 entries appear when a slot of the level-3 table of an address maps that table.</summary>
    private static ulong Window(int slot, ulong address) =>
        (address & ~0x7F_FFFF_FFFFUL) | ((ulong)slot << 30) | (address >> 9 & 0x3FFF_FFF8);

    private static void SelfMapping()
    {
        ulong page = (ulong)Memory.TakePage();
        ulong table = PageTables.EntryMachine(page, 3) & PageTables.FrameMask;
        ulong slot = table + (Slot * 8);
        Report.Result(Xen.MmuUpdate(slot, table | PageTables.Table), XenError.Invalid, "a table that maps itself to write"u8);
        if (!Report.Result(Xen.MmuUpdate(slot, table | ReadOnlyTable), XenError.None, "a table that maps itself to read"u8))
        {
            return;
        }

        Report.Same(*(ulong*)Window(Slot, page), *PageTables.Entry(page, 1), "the level-1 entry in the window"u8);
        Report.Result(Xen.MmuUpdate(slot, table | PageTables.Table), XenError.Invalid, "the right to write by a change of flags"u8);
        Report.Result(Xen.MmuUpdate(slot | MmuUpdate.PreserveAccessedDirty, table | PageTables.Table), XenError.Invalid, "the same with A and D preserved"u8);
        Report.Result(Xen.MmuUpdate(slot, table | ReadOnlyTable | PageTables.NoExecute), XenError.None, "other flags"u8);
        ProbeRegisters registers = new() { Rcx = Window(Slot, page), Rax = 0 };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a write in the window"u8);
        Report.Same(Traps.Last.ErrorCode, 3, "its error code"u8);
        Report.Result(Xen.MmuUpdate(slot, 0), XenError.None, "no window"u8);
        registers.Rcx = Window(Slot, page);
        Report.Same(Traps.Try([0x48, 0x8B, 0x01], ref registers), 14, "the window is gone"u8);
    }

    private static void OtherTable()
    {
        ulong* other = (ulong*)Memory.TakePage();
        ulong* third = (ulong*)Memory.TakePage();
        PageTables.MakeReadOnly(other);
        PageTables.MakeReadOnly(third);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL3Table, Memory.Frame(other)), XenError.None, "a second table"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL3Table, Memory.Frame(third)), XenError.None, "a third table"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(other + Slot), Memory.Machine(third) | PageTables.Table), XenError.Invalid, "another table to write"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(other + Slot), Memory.Machine(third) | ReadOnlyTable), XenError.None, "another table to read"u8);

        // Giving back a table that names a table that names a table would have no bound.
        Report.Result(Xen.MmuUpdate(Memory.Machine(third + Slot), Memory.Machine(other) | ReadOnlyTable), XenError.Invalid, "a chain of tables"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(third)), XenError.None, "the third table is named still"u8);
        Report.Result(PageTables.MakeWritable(third), XenError.Busy, "and is no memory yet"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(other + Slot), 0), XenError.None, "no table in a table"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(other)), XenError.None, "the second table ends"u8);
        Report.Result(PageTables.MakeWritable(other), XenError.None, "the second table is memory"u8);
        Report.Result(PageTables.MakeWritable(third), XenError.None, "the third table is memory"u8);
    }

    /// <summary>The guest asks for no flush; the hypervisor must make one for every change above level 1.</summary>
    private static void Flushes()
    {
        ulong* first = (ulong*)Memory.TakePage();
        ulong* second = (ulong*)Memory.TakePage();
        byte* page = Memory.TakePage();
        byte* other = Memory.TakePage();
        page[0] = 1;
        other[0] = 2;
        second[0] = Memory.Machine(other) | PageTables.KernelReadable;
        PageTables.MakeReadOnly(second);
        Report.Result(PageTables.AddLive(Free, Memory.Machine(page) | PageTables.KernelReadable), XenError.None, "a mapping"u8);
        Report.Same(*(byte*)Free, 1, "the first page"u8);
        ulong slot = PageTables.EntryMachine(Free, 2);
        Report.Result(Xen.MmuUpdate(slot, Memory.Machine(second) | PageTables.Table), XenError.None, "another level-1 table"u8);
        Report.Same(*(byte*)Free, 2, "the second page"u8);
        first[0] = Memory.Machine(second) | PageTables.Table;
        PageTables.MakeReadOnly(first);
        Report.Result(Xen.MmuUpdate(slot, 0), XenError.None, "no level-1 table"u8);
        ProbeRegisters registers = new() { Rcx = Free };
        Report.Same(Traps.Try([0x8A, 0x01], ref registers), 14, "nothing is there"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 3), Memory.Machine(first) | PageTables.Table), XenError.None, "another level-2 table"u8);
        Report.Same(*(byte*)Free, 2, "the second page by another way"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 3), (Memory.Machine(first) | PageTables.Table) & ~PageTables.Writable), XenError.None, "level 3 read-only"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 1), Memory.Machine(other) | PageTables.KernelWritable), XenError.None, "level 1 to write"u8);
        Xen.MmuExtended(MmuExtendedCommand.InvlpgLocal, Free);
        registers.Rcx = Free;
        Report.Same(Traps.Try([0x88, 0x01], ref registers), 14, "level 3 decides"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Free, 4), 0), XenError.None, "no level-3 table"u8);
        Report.Same(Traps.Try([0x8A, 0x01], ref registers), 14, "nothing is there again"u8);
    }
}
