// attack_pointers: the hypervisor's addresses and addresses that are none, wherever a call takes one, inside structures too; counts that wrap.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class PointersAttack
{
    private static ulong* s_page;
    private static ulong s_place;

    [RuntimeExport("guest_attack_pointers")]
    private static void Main()
    {
        Neighbour.Start();
        s_page = (ulong*)Memory.TakePage();
        s_place = *(ulong*)(0xFFFF_8000_0000_0000 + (Memory.Frame(s_page) * 8));
        ReadOnlySpan<ulong> pointers =
        [
            0xFFFF_8080_0000_0000, 0xFFFF_8300_0000_0000, 0xFFFF_82D0_8020_0000, 0xFFFF_87FF_FFFF_FFF8, 0xFFFF_8000_0000_0000 + (Memory.Frame(s_page) * 8),
            0xFFFF_7FFF_FFFF_FFFC, 0x8000_0000_0000, 0x7FFF_FFFF_FFFC, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFF9, 0x1234_5678_9000, 0x10,
        ];
        for (int i = 0; i < pointers.Length; i++)
        {
            Into(pointers[i]);
            OutOf(pointers[i]);
            Inside(pointers[i]);
            Areas(pointers[i]);
        }

        Report.Same(*(ulong*)(0xFFFF_8000_0000_0000 + (Memory.Frame(s_page) * 8)), s_place, "its place in the list of places"u8);
        Counts();
        Neighbour.Finish();
    }

    /// <summary>Calls that write a structure: none of it may arrive.</summary>
    private static void Into(ulong at)
    {
        for (ulong operation = 1; operation < 12; operation++)
        {
            if (operation is not (4 or 7 or 9 or 10))
            {
                Refused(Xen.Call(HypercallNumber.XenVersion, operation, at), at, "xen_version"u8);
            }
        }

        Refused(Xen.Call(HypercallNumber.MemoryOp, 12, at), at, "machphys_mapping"u8);
        Refused(Xen.Call(HypercallNumber.VcpuOp, 4, 0, at), at, "the times of a vcpu"u8);
        for (uint operation = 0; operation < 14; operation++)
        {
            Refused(Xen.EventChannel(operation, (void*)at), at, "event_channel_op"u8);
        }

        for (uint operation = 0; operation < 13; operation++)
        {
            Refused(Grants.Call(operation, (void*)at), at, "grant_table_op"u8);
        }
    }

    /// <summary>Calls that read a list or a structure: nothing of the hypervisor's may be taken for it.</summary>
    private static void OutOf(ulong at)
    {
        Refused(Xen.Call(HypercallNumber.MmuUpdate, at, 1, 0, DomainIds.Self), at, "mmu_update"u8);
        Refused(Xen.Call(HypercallNumber.MmuExtendedOp, at, 1, 0, DomainIds.Self), at, "mmuext_op"u8);
        Refused(Xen.Call(HypercallNumber.Multicall, at, 1), at, "multicall"u8);
        Refused(Xen.Call(HypercallNumber.SetTrapTable, at), at, "set_trap_table"u8);
        Refused(Xen.Call(HypercallNumber.SetGdt, at, 512), at, "set_gdt"u8);
        Refused(Xen.Call(HypercallNumber.CallbackOp, 0, at), at, "callback_op"u8);
        Refused(Xen.Call(HypercallNumber.ConsoleIo, 0, 64, at), at, "what the hypervisor's memory says, on the console"u8);
        Refused(Xen.Call(HypercallNumber.SchedOp, 3, at), at, "poll"u8);
        Refused(Xen.Call(HypercallNumber.SchedOp, 6, at), at, "watchdog"u8);
        Refused(Xen.Call(HypercallNumber.VcpuOp, 6, 0, at), at, "a period"u8);
        Refused(Xen.Call(HypercallNumber.VcpuOp, 8, 0, at), at, "a time"u8);
        Refused(Xen.Call(HypercallNumber.VcpuOp, 10, 0, at), at, "a place"u8);
        Refused(Xen.Call(HypercallNumber.PhysdevOp, 6, at), at, "a privilege level"u8);
        Refused(Xen.MmuExtended(MmuExtendedCommand.TlbFlushMulti, 0, at), at, "a set of vcpus"u8);
        Refused(Xen.MmuExtended(MmuExtendedCommand.InvlpgMulti, 0, at), at, "a set of vcpus"u8);
        for (ulong operation = 0; operation < 30; operation++)
        {
            if (operation is not (2 or 8))
            {
                Report.Check(Xen.Call(HypercallNumber.MemoryOp, operation, at) <= 0, "memory_op"u8);
            }
        }
    }

    /// <summary>Pointers in structures that are in order.</summary>
    private static void Inside(ulong at)
    {
        MemoryReservation list = new() { ExtentStart = at, ExtentCount = 1, DomainId = DomainIds.Self };
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&list)) <= 0, "increase_reservation"u8);
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&list)) <= 0, "decrease_reservation"u8);
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&list)) <= 0, "populate_physmap"u8);
        ulong good = Memory.Frame(s_page);
        MemoryExchange exchange = new()
        {
            In = new MemoryReservation { ExtentStart = at, ExtentCount = 1, DomainId = DomainIds.Self },
            Out = new MemoryReservation { ExtentStart = (ulong)(&good), ExtentCount = 1, DomainId = DomainIds.Self },
        };
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), at, "the first list of an exchange"u8);
        exchange.In.ExtentStart = (ulong)(&good);
        exchange.Out.ExtentStart = at;
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), at, "the second list of an exchange"u8);

        // An address that comes right by an offset: the number of exchanges that are said to be done.
        exchange.Out.ExtentStart = 0xFFFF_8300_0000_0000 - 8;
        exchange.In.ExtentCount = exchange.Out.ExtentCount = 2;
        exchange.ExchangedCount = 1;
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), at, "an exchange by an offset"u8);
        GrantSetupTable setup = new() { DomainId = DomainIds.Self, FrameCount = 1, FrameList = at, Status = 0 };
        Report.Check(Grants.Call(2, &setup) != 0 || setup.Status < 0, "where the frames of the grant table go"u8);
        ulong* poll = stackalloc ulong[3];
        poll[0] = at;
        poll[1] = 1;
        poll[2] = 1;
        Refused(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)poll), at, "the list of a poll"u8);
        Xen.Call(HypercallNumber.MmuExtendedOp, (ulong)s_page, 0, at, DomainIds.Self);
        MmuUpdate update = new() { Pointer = Memory.Machine(s_page), Value = 0 };
        Xen.Call(HypercallNumber.MmuUpdate, (ulong)(&update), 1, at, DomainIds.Self);
        Refused(Xen.UpdateVaMapping(at, Memory.Machine(s_page) | PageTables.KernelWritable), at, "an entry for that address"u8);
        ulong* map = stackalloc ulong[2];
        map[0] = 10;
        map[1] = at;
        Xen.Call(HypercallNumber.MemoryOp, 9, (ulong)map);
        MulticallEntry entry = new() { Operation = (ulong)HypercallNumber.XenVersion, Argument0 = 1, Argument1 = at };
        Xen.Call(HypercallNumber.Multicall, (ulong)(&entry), 1);
        Report.Check(entry.Result < 0, "inside a list of calls"u8);
        entry = new MulticallEntry { Operation = (ulong)HypercallNumber.Multicall, Argument0 = (ulong)(&entry), Argument1 = 1 };
        Xen.Call(HypercallNumber.Multicall, (ulong)(&entry), 1);
        Report.Check(entry.Result < 0, "a list of calls in a list of calls"u8);
        Report.Check(Xen.Call(HypercallNumber.VcpuOp, 0, 1, at) < 0, "the state of a vcpu"u8);
    }

    /// <summary>Areas that the hypervisor writes later, at each switch.</summary>
    private static void Areas(ulong at)
    {
        ulong area = at;
        Xen.Call(HypercallNumber.VcpuOp, 5, 0, (ulong)(&area));
        Xen.Call(HypercallNumber.SchedOp, 0);
        Xen.Call(HypercallNumber.VcpuOp, 13, 0, (ulong)(&area));
        Xen.Call(HypercallNumber.SchedOp, 0);
        area = (ulong)s_page;
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 5, 0, (ulong)(&area)), XenError.None, "an area of its own"u8);
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 13, 0, (ulong)(&area)), XenError.None, "an area of its own"u8);
    }

    /// <summary>Lists of its own that are said to be longer than they are, than memory, and than numbers.</summary>
    private static void Counts()
    {
        ReadOnlySpan<ulong> counts =
        [
            0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 1UL << 58, 1UL << 60, 1UL << 61, 1UL << 63, (1UL << 61) + 1, ulong.MaxValue, ulong.MaxValue - 7,
        ];
        byte* end = Memory.TakePage();
        Memory.TakePage();
        Xen.UpdateVaMapping((ulong)end + 4096, 0);
        ulong last = (ulong)end + 4096 - 16;
        for (int i = 0; i < counts.Length; i++)
        {
            ulong count = counts[i];
            *(ulong*)last = 0x7FF0_0000_0000_0003;
            Xen.Call(HypercallNumber.MmuUpdate, last, count & 0x7FFF_FFFF, 0, DomainIds.Self);
            Xen.Call(HypercallNumber.MmuExtendedOp, last - 8, count & 0x7FFF_FFFF, 0, DomainIds.Self);
            Xen.Call(HypercallNumber.ConsoleIo, 0, count, 0x1234_5678_9000);
            Refused(Xen.Call(HypercallNumber.SetGdt, (ulong)s_page, count), count, "so many descriptors"u8);
            Report.Check(Xen.MmuExtended(MmuExtendedCommand.SetLdt, (ulong)s_page, count) < 0, "so many local descriptors"u8);
            MemoryReservation list = new() { ExtentStart = last, ExtentCount = count, DomainId = DomainIds.Self };
            Report.Check(Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&list)) <= 0, "giving up so many"u8);
            list.ExtentOrder = (uint)count;
            Report.Check(Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&list)) <= 0, "such large extents"u8);
            Report.Check(Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&list)) <= 0, "such large extents"u8);
            MemoryExchange exchange = new()
            {
                In = new MemoryReservation { ExtentStart = last, ExtentCount = count, DomainId = DomainIds.Self },
                Out = new MemoryReservation { ExtentStart = last, ExtentCount = count, DomainId = DomainIds.Self },
                ExchangedCount = count - 1,
            };
            Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), count, "exchanging so many"u8);
            exchange.In.ExtentOrder = 9;
            exchange.In.ExtentCount = count >> 9;
            Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), count, "exchanging so many"u8);
            Refused(Xen.Call(HypercallNumber.GrantTableOp, 5, (ulong)s_page, count | 0x8000_0000), count, "so many copies"u8);
            ulong* poll = stackalloc ulong[3];
            poll[0] = (ulong)s_page;
            poll[1] = count;
            poll[2] = 1;
            Report.Check(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)poll) < 0 || (uint)count <= 128, "so many ports"u8);
            Report.Check(Xen.Call(HypercallNumber.VcpuOp, 3, count) < 0, "so high a vcpu"u8);
            Report.Check(Xen.Call(HypercallNumber.SetDebugReg, count, 0) < 0, "so high a debug register"u8);
            Report.Check(Xen.Call((HypercallNumber)count) < 0, "so high a call"u8);
        }

        PageTables.MakeWritable(end + 4096);
    }

    private static void Refused(long result, ulong subject, ReadOnlySpan<byte> what)
    {
        if (!Report.Check(result < 0, what))
        {
            Report.Note("the pointer or count was"u8, subject);
        }
    }
}
