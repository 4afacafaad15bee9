// attack_tables: the domain writes its own page tables and descriptors past the hypervisor, which would give it all memory.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class TablesAttack
{
    private const ulong Window = 0x6000_0000_0000;
    private const ulong Marker = 0x7777_0000_0000_0001;
    private const int Levels = 4;
    private const ulong WritableTables = 2;

    private static ulong* s_tables;
    private static ulong** s_table;
    private static ulong* s_page;
    private static ulong* s_picture;
    private static ulong* s_victim;

    [RuntimeExport("guest_attack_tables")]
    private static void Main()
    {
        Neighbour.Start();
        Report.Result(Xen.Call(HypercallNumber.VmAssist, 0, WritableTables), XenError.None, "writes to tables are carried out"u8);
        MakeTables();
        for (int i = 0; i <= Levels + 1; i++)
        {
            s_victim = s_table[i];
            Remember();
            MapWritable();
            Promote();
            CopyOver();
            LetTheHypervisorWrite();
            Retype(i);
            GiveAway();
            Check("the table is what it was"u8);
        }

        Selfmap();
        Descriptor();
        Emulated();
        Neighbour.Finish();
    }

    /// <summary>Tables of levels 1 to 4 in use, a descriptor page in use, and the level-4 table that the domain runs on.</summary>
    private static void MakeTables()
    {
        s_table = (ulong**)Memory.TakePage();
        s_page = (ulong*)Memory.TakePage();
        s_picture = (ulong*)Memory.TakePage();
        s_tables = (ulong*)Memory.TakePage();
        PageTables.Add(s_tables, Window, Memory.Machine(s_page) | PageTables.KernelWritable);
        ulong* table = s_tables;
        for (int level = Levels; level >= 1; level--)
        {
            s_table[level] = table;
            table = (ulong*)Memory.Address((table[PageTables.Index(Window, level)] & PageTables.FrameMask) >> 12);
        }

        PageTables.Protect(s_tables, Levels);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL4Table, Memory.Frame(s_tables)), XenError.None, "a tree of tables"u8);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Window, 4), s_tables[PageTables.Index(Window, 4)]), XenError.None, "the tree in use"u8);
        s_page[0] = Marker;
        Report.Same(*(ulong*)Window, Marker, "the page is there"u8);
        Descriptors.Start();
        s_table[0] = Descriptors.Table;
        s_table[Levels + 1] = Memory.Root;
    }

    private static void Remember()
    {
        for (int i = 0; i < 512; i++)
        {
            s_picture[i] = s_victim[i];
        }
    }

    private static void Check(ReadOnlySpan<byte> what)
    {
        for (int i = 0; i < 512; i++)
        {
            if (((s_victim[i] ^ s_picture[i]) & ~(PageTables.Accessed | PageTables.Dirty)) != 0 && i is < 256 or >= 272)
            {
                Report.Same(s_victim[i], s_picture[i], what);
                return;
            }
        }
    }

    private static void MapWritable()
    {
        ulong target = Memory.Machine(s_victim);
        ulong slot = Memory.Machine(s_table[1] + 7);
        Refused(Xen.UpdateVaMapping((ulong)s_victim, target | PageTables.KernelWritable), "the write right by its own address"u8);
        Refused(Xen.UpdateVaMapping(Window + 0x3000, target | PageTables.UserWritable), "a second mapping"u8);
        for (ulong command = 0; command < 4; command++)
        {
            if (command != MmuUpdate.MachineToPhysicalUpdate)
            {
                Refused(Xen.MmuUpdate(slot | command, target | PageTables.KernelWritable), "an entry by mmu_update"u8);
                Refused(Xen.MmuUpdate(slot | command, target | PageTables.Writable | PageTables.Present | PageTables.Large), "an entry with more bits"u8);
                Refused(Xen.MmuUpdate(Memory.Machine(s_table[2] + 7) | command, (target & ~0x1F_FFFFUL) | PageTables.Table | PageTables.Large), "2 MiB of memory"u8);
                Refused(Xen.MmuUpdate(Memory.Machine(s_table[3] + 7) | command, (target & ~0x3FFF_FFFFUL) | PageTables.Table | PageTables.Large), "1 GiB of memory"u8);
            }
        }

        // First to read, which is allowed, then the write right alone, by every way to change an entry.
        Report.Result(Xen.MmuUpdate(slot, target | PageTables.KernelReadable), XenError.None, "an entry to read"u8);
        Refused(Xen.MmuUpdate(slot, target | PageTables.KernelWritable), "the write right alone"u8);
        Refused(Xen.MmuUpdate(slot | MmuUpdate.PreserveAccessedDirty, target | PageTables.KernelWritable), "the write right alone, keeping marks"u8);
        ProbeRegisters registers = new() { Rcx = (ulong)(s_table[1] + 7) };
        Traps.Try([0x48, 0x0F, 0xBA, 0x29, 1], ref registers);
        Report.Same(s_table[1][7] & PageTables.Writable, 0, "the write right by bts"u8);
        Traps.Try([0xF0, 0x80, 0x09, 2], ref registers);
        Report.Same(s_table[1][7] & PageTables.Writable, 0, "the write right by or"u8);
        Report.Result(Xen.MmuUpdate(slot, 0), XenError.None, "no entry"u8);
        Traps.Try([0xC7, 0x01, 0xFF, 0xFF, 0xFF, 0x7F], ref registers);
        Report.Same(s_table[1][7], 0, "an entry with reserved bits by a write"u8);
    }

    /// <summary>The write right comes with a table that is checked as a whole.</summary>
    private static void Promote()
    {
        ulong* table = (ulong*)Memory.TakePage();
        ulong entry = Memory.Machine(s_victim) | PageTables.KernelWritable;
        ReadOnlySpan<int> places = [0, 1, 255, 256, 511];
        for (int i = 0; i < places.Length; i++)
        {
            table[places[i]] = entry;
            PageTables.MakeReadOnly(table);
            Refused(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(table)), "a table with such an entry, pinned"u8);
            Refused(Xen.MmuUpdate(Memory.Machine(s_table[2] + 9), Memory.Machine(table) | PageTables.Table), "a table with such an entry, entered"u8);
            Report.Result(PageTables.MakeWritable(table), XenError.None, "which is no table"u8);
            table[places[i]] = 0;
        }

        // A table that lends itself.
        table[3] = Memory.Machine(table) | PageTables.KernelWritable;
        PageTables.MakeReadOnly(table);
        Refused(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(table)), "a table that maps itself to write"u8);
        PageTables.MakeWritable(table);
    }

    /// <summary>Calls that write to a frame, or to an address, on the guest's account.</summary>
    private static void CopyOver()
    {
        ulong frame = Memory.Frame(s_victim);
        Refused(Xen.MmuExtended(MmuExtendedCommand.ClearPage, frame), "clear_page"u8);
        Refused(Xen.MmuExtended(MmuExtendedCommand.CopyPage, frame, Memory.Frame(s_page)), "copy_page"u8);
        Report.Check(Grants.Copy(Memory.Frame(s_page), DomainIds.Self, frame, DomainIds.Self, 0) != 0, "a grant copy"u8);
        Grants.Offer(101, Neighbour.Self, s_victim);
        Report.Check(Grants.Copy(Memory.Frame(s_page), DomainIds.Self, 101, Neighbour.Self, GrantCopy.DestinationIsReference) != 0, "a copy to a grant"u8);
        Report.Check(Grants.Map(Neighbour.Self, 101, (void*)(Window + 0x5000), 0, out _) != 0, "a grant, mapped to write"u8);
        ulong slot = Memory.Machine(s_table[1] + 11);
        GrantMap request = new()
        {
            HostAddress = slot,
            Flags = GrantMapFlags.HostMap | GrantMapFlags.ContainsPte,
            Reference = 101,
            DomainId = Neighbour.Self,
            Status = 0,
        };
        Report.Check(Grants.Call(0, &request) != 0 || request.Status != 0, "a grant, mapped to write by an entry"u8);
        ulong old = Grants.Table[101];
        Grants.Table[101] = 0;
        Report.Same(old & (GrantEntryFlags.Reading | GrantEntryFlags.Writing), 0, "no marks are left"u8);
        GrantTransfer transfer = new() { Frame = frame, DomainId = Neighbour.Victim, Reference = 5, Status = 1 };
        Grants.Call(4, &transfer);
        Report.Check(transfer.Status != 0, "a transfer"u8);
    }

    /// <summary>The hypervisor's own writes: the pages are there to read, and it must not write them either.</summary>
    private static void LetTheHypervisorWrite()
    {
        ulong at = (ulong)s_victim + 0x800;
        ulong* argument = stackalloc ulong[4];
        Xen.Call(HypercallNumber.XenVersion, 1, at);
        Xen.Call(HypercallNumber.XenVersion, 6, at);
        Xen.Call(HypercallNumber.XenVersion, 2, at);
        Xen.Call(HypercallNumber.MemoryOp, 12, at);
        Xen.Call(HypercallNumber.VcpuOp, 4, 0, at);
        argument[0] = at;
        Xen.Call(HypercallNumber.VcpuOp, 5, 0, (ulong)argument);
        Xen.Call(HypercallNumber.SchedOp, 0);
        argument[0] = (ulong)s_page;
        Xen.Call(HypercallNumber.VcpuOp, 5, 0, (ulong)argument);
        argument[0] = at;
        Xen.Call(HypercallNumber.VcpuOp, 13, 0, (ulong)argument);
        Xen.Call(HypercallNumber.SchedOp, 0);
        argument[0] = (ulong)s_page;
        Xen.Call(HypercallNumber.VcpuOp, 13, 0, (ulong)argument);
        argument[0] = Memory.Frame(s_victim);
        argument[1] = 0x100;
        Refused(Xen.Call(HypercallNumber.VcpuOp, 10, 0, (ulong)argument), "the vcpu's page"u8);
        Xen.EventChannel(6, (void*)at);
        Grants.Call(0, (void*)at);
        Grants.Call(1, (void*)at);
        Grants.Call(5, (void*)at);
        Grants.Call(6, (void*)at);
        Xen.Call(HypercallNumber.Multicall, at, 4);

        // Empty entries of such a list are calls that take all handlers away.
        Traps.Start();
        Xen.Call(HypercallNumber.MmuExtendedOp, (ulong)argument, 0, at, DomainIds.Self);
        Xen.Call(HypercallNumber.MmuUpdate, (ulong)argument, 0, at, DomainIds.Self);
        MemoryReservation reservation = new() { ExtentStart = at, ExtentCount = 1, DomainId = DomainIds.Self };
        Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&reservation));
        Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&reservation));
        Check("nothing was written there"u8);
    }

    private static void Retype(int which)
    {
        ulong frame = Memory.Frame(s_victim);
        for (int level = 1; level <= Levels; level++)
        {
            bool isItself = level == which || (level == Levels && which > Levels);
            if (!isItself)
            {
                Refused(Xen.MmuExtended((MmuExtendedCommand)(level - 1), frame), "pinned as another level"u8);
            }
        }

        if (which != 0)
        {
            Refused(Descriptors.Load(frame, 512), "used as descriptors"u8);
            Refused(Xen.Call(HypercallNumber.UpdateDescriptor, frame << 12, 0), "an empty descriptor written there"u8);
            Refused(Xen.Call(HypercallNumber.UpdateDescriptor, (frame << 12) + 0x800, Descriptors.Code64), "a descriptor written there"u8);
        }
        else
        {
            Refused(Xen.MmuUpdate(frame << 12, Memory.Machine(s_page) | PageTables.KernelWritable), "an entry written into the descriptors"u8);
        }
    }

    /// <summary>Given up or exchanged, it would be somebody else's, or fresh memory of its own, while the processor still uses it.</summary>
    private static void GiveAway()
    {
        ulong frame = Memory.Frame(s_victim);
        ulong pfn = 1;
        MemoryExchange exchange = new()
        {
            In = new MemoryReservation { ExtentStart = (ulong)(&frame), ExtentCount = 1, DomainId = DomainIds.Self },
            Out = new MemoryReservation { ExtentStart = (ulong)(&pfn), ExtentCount = 1, DomainId = DomainIds.Self },
        };
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), "an exchange"u8);
    }

    /// <summary>Linear entries show tables to be read, never written.</summary>
    private static void Selfmap()
    {
        ulong table = PageTables.Present | PageTables.User | PageTables.Accessed | PageTables.Dirty;
        for (int level = 2; level <= Levels; level++)
        {
            ulong slot = Memory.Machine(s_table[level] + 13);
            ulong self = Memory.Machine(s_table[level]);
            Refused(Xen.MmuUpdate(slot, self | PageTables.Table), "a table that maps itself to write"u8);
            if (Xen.MmuUpdate(slot, self | table) == 0)
            {
                Refused(Xen.MmuUpdate(slot, self | PageTables.Table), "the write right of a table that maps itself"u8);
                Report.Result(Xen.MmuUpdate(slot, 0), XenError.None, "no longer"u8);
            }
        }

        Refused(Xen.MmuUpdate(Memory.Machine(Memory.Root + 13), Memory.Machine(Memory.Root) | PageTables.Table), "the root in itself"u8);
        Refused(Xen.MmuUpdate(Memory.Machine(Memory.Root + 13), Memory.Machine(Memory.Root) | table), "the root in itself to read"u8);
        Refused(Xen.MmuUpdate(Memory.Machine(Memory.Root + 13), Memory.Machine(s_tables) | table), "a root in a root"u8);
    }

    /// <summary>Gates and segments that lead to privilege 0, and descriptor pages that can be written.</summary>
    private static void Descriptor()
    {
        const ulong CallGate = 0x0000_EC00_E008_0000;
        const ulong TaskState = 0x0000_8900_0000_0067;
        const ulong LocalTable = 0x0000_8200_0000_FFFF;
        Refused(Descriptors.Write(30, CallGate), "a call gate"u8);
        Refused(Descriptors.Write(30, TaskState), "a task state segment"u8);
        Refused(Descriptors.Write(30, LocalTable), "a local table"u8);
        for (ulong type = 1; type < 16; type++)
        {
            Refused(Descriptors.Write(30, (type << 40) | (0xE0UL << 40) | 0xE008_0000), "a system descriptor"u8);
        }

        Descriptors.Write(31, Descriptors.Code64Ring0);
        Report.Check((Descriptors.Table[31] >> 45 & 3) == 3 || Descriptors.Table[31] == 0, "a code segment of ring 0"u8);
        Descriptors.Write(32, Descriptors.DataRing0);
        Report.Check((Descriptors.Table[32] >> 45 & 3) == 3 || Descriptors.Table[32] == 0, "a data segment of ring 0"u8);
        ulong* bad = (ulong*)Memory.TakePage();
        bad[511] = CallGate;
        Refused(Descriptors.Load(Memory.Frame(bad), 512), "descriptors that can be written"u8);
        PageTables.MakeReadOnly(bad);
        Refused(Descriptors.Load(Memory.Frame(bad), 512), "descriptors with a gate"u8);
        Refused(Descriptors.Load(Memory.Frame(bad), 8192), "more descriptors than there can be"u8);
        Report.Result(PageTables.MakeWritable(bad), XenError.None, "they are in no use"u8);

        // The same through a local table, which is only looked at when a selector of it is used.
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, (ulong)bad, 512), XenError.None, "a local table"u8);
        ProbeRegisters registers = new() { Rax = (511 * 8) | 7 };
        Report.Check(Traps.Try([0x8E, 0xE8], ref registers) != Traps.None, "a gate in a data segment register"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, 0, 0), XenError.None, "no local table"u8);
    }

    /// <summary>Writes that the hypervisor carries out: of every width, across two entries, to entries that are not level 1.</summary>
    private static void Emulated()
    {
        s_victim = s_table[2];
        Remember();
        ProbeRegisters registers = new() { Rcx = (ulong)(s_table[2] + 20), Rax = Memory.Machine(s_page) | PageTables.Table };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a write to a table of level 2"u8);
        Check("a table of level 2 is not written"u8);
        s_victim = s_table[1];
        Remember();
        ulong entry = (Neighbour.Frame(0) << 12) | PageTables.KernelWritable;
        for (uint offset = 0; offset < 8; offset++)
        {
            registers = new ProbeRegisters { Rcx = (ulong)(s_table[1] + 20) + offset, Rax = entry };
            Traps.Try([0x88, 0x01], ref registers);
            Traps.Try([0x66, 0x89, 0x01], ref registers);
            Traps.Try([0x89, 0x01], ref registers);
            Traps.Try([0x48, 0x89, 0x01], ref registers);
            Traps.Try([0x48, 0x87, 0x01], ref registers);
            Traps.Try([0x0F, 0x11, 0x01], ref registers);
            Traps.Try([0xF0, 0x48, 0x0F, 0xC1, 0x01], ref registers);
            for (int i = 20; i < 22; i++)
            {
                Report.Check((s_table[1][i] & PageTables.Present) == 0 || (s_table[1][i] & PageTables.FrameMask) >> 12 != Neighbour.Frame(0), "an entry by a write"u8);
                Xen.MmuUpdate(Memory.Machine(s_table[1] + i), 0);
            }
        }

        Check("a table of level 1 is what it was"u8);
    }

    private static void Refused(long result, ReadOnlySpan<byte> what) => Report.Check(result < 0, what);
}
