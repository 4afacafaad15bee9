// errors: what the hypercalls for memory, events, vcpus, scheduling and devices answer to arguments that cannot be right.
using System;
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class ErrorsProgram
{
    private const ulong Nowhere = 0x10000;
    private const ulong Self = DomainIds.Self;
    private const ulong NoDomain = 999;

    private static ulong* s_arguments;
    private static ulong* s_list;

    [RuntimeExport("guest_errors")]
    private static void Main()
    {
        Traps.Start();
        s_arguments = (ulong*)Memory.TakePage();
        s_list = (ulong*)Memory.TakePage();
        Reservations();
        Exchanges();
        Sizes();
        EventChannels();
        Vcpus();
        Scheduling();
        PageTableCalls();
        Versions();
        Devices();
        Platform();
    }

    private static void Reservations()
    {
        for (uint operation = 0; operation <= 6; operation += operation == 0 ? 1u : 5u)
        {
            Is(MemoryOp(operation, Nowhere), 0, "a reservation that cannot be read"u8);
            Is(MemoryOp(operation | (7 << 6), Nowhere), 7, "the same, after 7 extents"u8);
            Reserve(0, 0, NoDomain);
            Is(MemoryOp(operation), 0, "no such domain"u8);
            Reserve(0x400_0000, 0, Self);
            Is(MemoryOp(operation), 0, "too many extents"u8);
            Reserve(1, 30, Self);
            Is(MemoryOp(operation), 0, "too large extents"u8);
            Reserve(3, 0, Self);
            Is(MemoryOp(operation | (3 << 6)), 3, "all extents done already"u8);
        }

        s_list[0] = 0xFFFF_FFFF_FFFF;
        Reserve(1, 0, Self);
        Is(MemoryOp(1), 0, "a frame that does not exist"u8);
    }

    private static void Exchanges()
    {
        Is(MemoryOp(11, Nowhere), -(long)XenError.Fault, "an exchange that cannot be read"u8);
        Exchange(1, 30, 1, 30, 0);
        Is(MemoryOp(11), -(long)XenError.NotPermitted, "too large an exchange"u8);
        Exchange(3, 0, 1, 1, 0);
        Is(MemoryOp(11), -(long)XenError.Invalid, "lists that do not match"u8);
        Exchange(1, 0, 1, 0, 2);
        Is(MemoryOp(11), -(long)XenError.Invalid, "more done than there is"u8);
        Exchange(1, 0, 1, 0, 0);
        s_arguments[7] = NoDomain;
        Is(MemoryOp(11), -(long)XenError.Invalid, "two domains"u8);
        s_arguments[3] = NoDomain;
        Is(MemoryOp(11), -(long)XenError.NoSuchDomain, "no such domain"u8);
        Exchange(1, 0, 1, 0, 0);
        s_list[0] = Memory.Frame(Memory.Root);
        Is(MemoryOp(11), -(long)XenError.Invalid, "a page table"u8);
        s_list[0] = 0xFFFF_FFFF;
        Is(MemoryOp(11), -(long)XenError.Invalid, "a frame that does not exist"u8);
        Exchange(1, 0, 1, 0, 0);
        s_arguments[0] = 0xFFFF_8000_0000_0000;
        Is(MemoryOp(11), -(long)XenError.Fault, "a list of the hypervisor's"u8);
    }

    private static void Sizes()
    {
        for (uint operation = 3; operation <= 14; operation += operation == 3 ? 1u : 10u)
        {
            s_arguments[0] = NoDomain;
            Is(MemoryOp(operation), -(long)XenError.NoSuchDomain, "the size of no domain"u8);
            Is(MemoryOp(operation, Nowhere), -(long)XenError.Fault, "the size of a domain that cannot be read"u8);
            s_arguments[0] = Self;
            Is(MemoryOp(operation | (1 << 6)), -(long)XenError.Invalid, "a size in steps"u8);
        }

        Is(MemoryOp(10, Nowhere), -(long)XenError.Fault, "the machine's map"u8);
        s_arguments[0] = 1;
        s_arguments[1] = (ulong)s_list;
        Is(MemoryOp(10), -(long)XenError.Invalid, "the machine's map in one entry"u8);
        Is(MemoryOp(9), -(long)XenError.NotImplemented, "a map that nobody has set"u8);
        Is(MemoryOp(63), -(long)XenError.NotImplemented, "an unknown operation"u8);
        s_arguments[0] = NoDomain;
        Is(MemoryOp(26), -(long)XenError.NoSuchDomain, "the NUMA layout of no domain"u8);
        Is(MemoryOp(7), -(long)XenError.NoSuchDomain, "the physical map of no domain"u8);
        s_arguments[0] = Self;
        Is(MemoryOp(26), -(long)XenError.NotSupported, "a NUMA layout"u8);
        Is(MemoryOp(7), -(long)XenError.AccessDenied, "its physical map"u8);
        Is(MemoryOp(15), -(long)XenError.AccessDenied, "a page out of it"u8);
        Reserve(1, 0, Self);
        s_arguments[0] = 1;
        Is(MemoryOp(24), -(long)XenError.Invalid, "a claim with a list"u8);
        Reserve(1, 0, NoDomain);
        s_arguments[0] = 0;
        Is(MemoryOp(24), -(long)XenError.Invalid, "a claim for no domain"u8);
        Reserve(0, 0, Self);
        s_arguments[0] = 0;
        Is(MemoryOp(24), -(long)XenError.Invalid, "a claim for itself by another name than its number"u8);
        s_arguments[3] = 0;
        Is(MemoryOp(24), 0, "no claim"u8);
        s_arguments[0] = 2;
        Is(MemoryOp(27), -(long)XenError.Invalid, "reserved memory of devices, with unknown flags"u8);
        s_arguments[0] = 0;
        Is(MemoryOp(2) > 0 ? 0 : 1, 0, "the machine's memory"u8);
    }

    private static void EventChannels()
    {
        for (uint operation = 0; operation <= 9; operation++)
        {
            Is(Event(operation, Nowhere), -(long)XenError.Fault, "an event channel operation that cannot be read"u8);
        }

        Arguments(Self, 4000);
        Is(Event(0), -(long)XenError.Invalid, "a port that is not open"u8);
        Arguments(NoDomain, 1);
        Is(Event(0), -(long)XenError.NoSuchDomain, "no such domain"u8);
        Arguments(24, 0);
        Is(Event(1), -(long)XenError.Invalid, "VIRQ 24"u8);
        Arguments(2, 1);
        Is(Event(1), -(long)XenError.Invalid, "a global VIRQ of vcpu 1"u8);
        Arguments(0, 77);
        Is(Event(1), -(long)XenError.NoEntry, "a VIRQ of no vcpu"u8);
        Arguments(0, 0);
        Is(Event(1), 0, "the timer"u8);
        uint timer = (uint)s_arguments[1];
        Is(Event(1), -(long)XenError.Exists, "the timer again"u8);
        Arguments(timer, 0);
        Is(Event(4), -(long)XenError.Invalid, "an event to the timer"u8);
        Is(Event(8), -(long)XenError.Invalid, "the timer for another vcpu"u8);
        Arguments(timer, 77);
        Is(Event(8), -(long)XenError.NoEntry, "the timer for no vcpu"u8);
        Arguments(100_000, 0);
        Is(Event(2), -(long)XenError.Invalid, "an interrupt that does not exist"u8);
        Arguments(77, 0);
        Is(Event(7), -(long)XenError.NoEntry, "an IPI to no vcpu"u8);
        Arguments(4000, 0);
        Is(Event(3), -(long)XenError.Invalid, "closing what is not open"u8);
        Is(Event(4), -(long)XenError.Invalid, "an event to what is not open"u8);
        Arguments(0, 0);
        Is(Event(3), -(long)XenError.Invalid, "closing port 0"u8);
        Arguments(0, 1);
        Is(Event(5), 0, "the status of port 1 of Domain 0"u8);
        Arguments(Self, 0x10_0000);
        Is(Event(5), -(long)XenError.Invalid, "the status of a port beyond all"u8);
        Arguments(NoDomain, 1);
        Is(Event(5), -(long)XenError.NoSuchDomain, "the status of no domain"u8);
        Is(Event(6), -(long)XenError.NoSuchDomain, "a port of no domain"u8);
        Is(Event(10), -(long)XenError.NoSuchDomain, "no domain's reset"u8);
        Is(Event(99), -(long)XenError.NotImplemented, "an unknown operation"u8);
        s_arguments[0] = Self | (Self << 16);
        Is(Event(6), 0, "an unbound port"u8);
        uint unbound = (uint)(s_arguments[0] >> 32);
        Arguments(unbound, 0);
        Is(Event(4), 0, "an event to an unbound port"u8);
        Arguments(Self, unbound);
        Is(Event(0), 0, "a channel to itself"u8);
        Is(Event(0), -(long)XenError.Invalid, "a second channel to the same port"u8);
    }

    private static void Vcpus()
    {
        for (uint command = 0; command <= 13; command++)
        {
            Is(Vcpu(command, 77), -(long)XenError.NoEntry, "a vcpu that does not exist"u8);
        }

        Is(Vcpu(0, 0), -(long)XenError.Exists, "a vcpu that runs"u8);
        Is(Vcpu(3, 0), 1, "a vcpu that is up"u8);
        Is(Vcpu(1, 0), 0, "up once more"u8);
        Is(Vcpu(4, 0, Nowhere), -(long)XenError.Fault, "runstate to nowhere"u8);
        Is(Vcpu(5, 0, Nowhere), -(long)XenError.Fault, "a runstate area that cannot be read"u8);
        s_arguments[0] = 0xFFFF_8000_0000_0000;
        Is(Vcpu(5, 0), -(long)XenError.Fault, "a runstate area of the hypervisor's"u8);
        Is(Vcpu(13, 0), -(long)XenError.Fault, "a time area of the hypervisor's"u8);
        Is(Vcpu(6, 0, Nowhere), -(long)XenError.Fault, "a period that cannot be read"u8);
        s_arguments[0] = 999_999;
        Is(Vcpu(6, 0), -(long)XenError.Invalid, "too short a period"u8);
        s_arguments[0] = ulong.MaxValue;
        Is(Vcpu(6, 0), -(long)XenError.Invalid, "too long a period"u8);
        Is(Vcpu(8, 0, Nowhere), -(long)XenError.Fault, "a timer that cannot be read"u8);
        Is(Vcpu(11, 0, 1), -(long)XenError.Invalid, "an NMI with an argument"u8);
        Is(Vcpu(99, 0), -(long)XenError.NotImplemented, "an unknown command"u8);
        Is(Vcpu(10, 0, Nowhere), -(long)XenError.Fault, "vcpu_info that cannot be read"u8);
        Is(VcpuInfo(Memory.Frame(s_list), 4096 - 56), -(long)XenError.NoAddress, "vcpu_info past its page"u8);
        Is(VcpuInfo(0xFFFF_FFFF_FFFF, 0), -(long)XenError.Invalid, "vcpu_info in no frame"u8);
        Is(VcpuInfo(Memory.Frame(Memory.Root), 0), -(long)XenError.Invalid, "vcpu_info in a page table"u8);
    }

    private static void Scheduling()
    {
        Is(Sched(2, Nowhere), -(long)XenError.Fault, "a reason that cannot be read"u8);
        Is(Sched(3, Nowhere), -(long)XenError.Fault, "a poll that cannot be read"u8);
        s_arguments[0] = (ulong)s_list;
        s_arguments[1] = 129;
        s_arguments[2] = 1;
        Is(Sched(3), -(long)XenError.Invalid, "a poll of 129 ports"u8);
        s_arguments[1] = 1;
        s_list[0] = 0x20_0000;
        Is(Sched(3), -(long)XenError.Invalid, "a poll of a port beyond all"u8);
        s_list[0] = 1;
        Is(Sched(3), 0, "a poll whose time is over"u8);
        s_arguments[0] = Nowhere;
        Is(Sched(3), -(long)XenError.Fault, "a poll of ports that cannot be read"u8);
        s_arguments[0] = NoDomain;
        Is(Sched(4), -(long)XenError.NoSuchDomain, "the end of no domain"u8);
        Is(Sched(6, Nowhere), -(long)XenError.Fault, "a watchdog that cannot be read"u8);
        s_arguments[0] = 3 | (1000UL << 32);
        Is(Sched(6), -(long)XenError.Invalid, "a third watchdog"u8);
        s_arguments[0] = 2 | (1000UL << 32);
        Is(Sched(6), -(long)XenError.Invalid, "a watchdog that nobody has set"u8);
        s_arguments[0] = 1000UL << 32;
        Is(Sched(6), 1, "a watchdog"u8);
        Is(Sched(6), 2, "another"u8);
        Is((int)Sched(6), -(int)XenError.NoSpace, "one too many"u8);
        s_arguments[0] = 1;
        Is(Sched(6), 0, "its end"u8);
        s_arguments[0] = 2;
        Is(Sched(6), 0, "the end of the other"u8);
        s_arguments[0] = 9999;
        Is(Sched(7), -(long)XenError.Invalid, "pinned to no processor"u8);
        s_arguments[0] = 0xFFFF_FFFF;
        Is(Sched(7), -(long)XenError.Invalid, "pinned no longer, without having been"u8);
        s_arguments[0] = 0;
        Is(Sched(7), 0, "pinned"u8);
        Is(Sched(7), -(long)XenError.Busy, "pinned twice"u8);
        s_arguments[0] = 0xFFFF_FFFF;
        Is(Sched(7), 0, "pinned no longer"u8);
        Is(Sched(99), -(long)XenError.NotImplemented, "an unknown operation"u8);
    }

    private static void PageTableCalls()
    {
        ulong own = Memory.Frame(s_list);
        Is(Xen.MmuExtended(MmuExtendedCommand.TlbFlushMulti, 0, Nowhere), -(long)XenError.Invalid, "a flush of vcpus that cannot be read"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.InvlpgMulti, 0, Nowhere), -(long)XenError.Invalid, "a page of vcpus that cannot be read"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.ClearPage, Memory.Frame(Memory.Root)), -(long)XenError.Invalid, "a page table to be cleared"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.CopyPage, own, 0xFFFF_FFFF), -(long)XenError.Invalid, "a copy of nothing"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.MarkSuper, own), -(long)XenError.NotSupported, "a superpage"u8);
        Is(Xen.MmuExtended((MmuExtendedCommand)99, 0), -(long)XenError.NotImplemented, "an unknown command"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.TlbFlushLocal, 0, 0, NoDomain), -(long)XenError.NoSuchDomain, "a flush for no domain"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.TlbFlushLocal, 0, 0, 0), -(long)XenError.NoSuchDomain, "a flush for itself by number"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.FlushCache, 0), 0, "the caches"u8);
        Is(Xen.MmuExtended(MmuExtendedCommand.FlushCacheGlobal, 0), 0, "all caches"u8);
        Is(Xen.MmuUpdate(Memory.Machine(s_list) | 5, 0), -(long)XenError.NotImplemented, "an unknown kind of update"u8);
        Is(Xen.MmuUpdate((own << 12) | 1, 5, NoDomain), -(long)XenError.NoSuchDomain, "the M2P of no domain"u8);
        Is(Xen.MmuUpdate((0xFFFF_FFFFUL << 12) | 1, 5), -(long)XenError.Invalid, "the M2P of no frame"u8);
        Is(Xen.Call(HypercallNumber.UpdateVaMappingOtherDomain, (ulong)s_list, 0, 0, NoDomain), -(long)XenError.NoSuchDomain, "a mapping of no domain's"u8);
    }

    private static void Versions()
    {
        for (ulong what = 1; what <= 10; what++)
        {
            if (what != 7)
            {
                Is(Xen.Call(HypercallNumber.XenVersion, what, Nowhere), -(long)XenError.Fault, "a version to nowhere"u8);
            }
        }

        Is(Xen.Call(HypercallNumber.XenVersion, 7), 4096, "the size of a page"u8);
        Is(Xen.Call(HypercallNumber.XenVersion, 7, (ulong)s_arguments), -(long)XenError.Invalid, "the size of a page with an argument"u8);
        s_arguments[0] = 1;
        Is(Xen.Call(HypercallNumber.XenVersion, 6, (ulong)s_arguments), -(long)XenError.Invalid, "features 32 to 63"u8);
        s_arguments[0] = 0;
        Is(Xen.Call(HypercallNumber.XenVersion, 10, (ulong)s_arguments), -(long)XenError.Invalid, "a build id without room"u8);
        s_arguments[0] = 1;
        Is(Xen.Call(HypercallNumber.XenVersion, 10, (ulong)s_arguments), -(long)XenError.NoBufferSpace, "a build id with too little"u8);
        Is(Xen.Call(HypercallNumber.XenVersion, 99, (ulong)s_arguments), -(long)XenError.NotImplemented, "an unknown version"u8);
        Is(Xen.Call(HypercallNumber.ConsoleIo, 0, 1, Nowhere), -(long)XenError.Fault, "a text that cannot be read"u8);
        Is(Xen.Call(HypercallNumber.ConsoleIo, 99, 1, (ulong)s_arguments), -(long)XenError.NotImplemented, "an unknown console operation"u8);
    }

    private static void Devices()
    {
        for (uint operation = 5; operation <= 31; operation++)
        {
            if (operation is not (9 or 11 or 18 or 22 or 26))
            {
                if (!Report.Result(Device(operation, Nowhere), XenError.Fault, "a device operation that cannot be read"u8))
                {
                    Report.Note("it is number"u8, operation);
                }
            }
        }

        s_arguments[0] = 4;
        Is(Device(6), -(long)XenError.Invalid, "I/O privilege 4"u8);
        s_arguments[0] = 100_000;
        Is(Device(5), -(long)XenError.Invalid, "the status of no interrupt"u8);
        Is(Device(12), -(long)XenError.Invalid, "the end of no interrupt"u8);
        Is(Device(10), 0, "a vector for any number"u8);
        Is(Device(99), -(long)XenError.NotImplemented, "an unknown operation"u8);
        s_arguments[0] = Self | (100_000UL << 32);
        Is(Device(14), -(long)XenError.Invalid, "no interrupt unmapped"u8);
        s_arguments[0] = NoDomain | (5UL << 32);
        Is(Device(14), -(long)XenError.NoSuchDomain, "no domain's interrupt unmapped"u8);
        s_arguments[0] = Memory.Frame(Memory.Root);
        Is(Device(28), -(long)XenError.Invalid, "a page table for the ends of interrupts"u8);
        s_arguments[0] = 1;
        Is(Device(23), 0, "a free line"u8);
    }

    private static void Platform()
    {
        Is(Xen.Call(HypercallNumber.PlatformOp, Nowhere), -(long)XenError.Fault, "a platform operation that cannot be read"u8);
        s_arguments[0] = 62;
        Is(Xen.Call(HypercallNumber.PlatformOp, (ulong)s_arguments), -(long)XenError.AccessDenied, "without a version"u8);
        s_arguments[0] = 999 | (0x0300_0001UL << 32);
        Is(Xen.Call(HypercallNumber.PlatformOp, (ulong)s_arguments), -(long)XenError.NotImplemented, "an unknown one"u8);
        s_arguments[0] = 33 | (0x0300_0001UL << 32);
        s_arguments[1] = 200;
        Is(Xen.Call(HypercallNumber.PlatformOp, (ulong)s_arguments), -(long)XenError.Invalid, "memory type 200"u8);
        Is(Xen.Call(HypercallNumber.NmiOp, 0, Nowhere), -(long)XenError.Fault, "an NMI callback that cannot be read"u8);
        Is(Xen.Call(HypercallNumber.NmiOp, 99), -(long)XenError.NotImplemented, "an unknown NMI operation"u8);
        Is(Xen.Call(HypercallNumber.VmAssist, 0, 63), -(long)XenError.Invalid, "an unknown assist"u8);
        Is(Xen.Call(HypercallNumber.VmAssist, 9, 2), -(long)XenError.NotImplemented, "an assist neither on nor off"u8);
    }

    private static void Is(long actual, long expected, ReadOnlySpan<byte> what) => Report.Same((ulong)actual, (ulong)expected, what);

    private static long MemoryOp(uint operation, ulong at = 0) => Xen.Call(HypercallNumber.MemoryOp, operation, at == 0 ? (ulong)s_arguments : at);

    private static long Event(uint operation, ulong at = 0) => Xen.Call(HypercallNumber.EventChannelOp, operation, at == 0 ? (ulong)s_arguments : at);

    private static long Sched(uint operation, ulong at = 0) => Xen.Call(HypercallNumber.SchedOp, operation, at == 0 ? (ulong)s_arguments : at);

    private static long Device(uint operation, ulong at = 0) => Xen.Call(HypercallNumber.PhysdevOp, operation, at == 0 ? (ulong)s_arguments : at);

    private static long Vcpu(uint command, uint vcpu, ulong at = 0) => Xen.Call(HypercallNumber.VcpuOp, command, vcpu, at == 0 ? (ulong)s_arguments : at);

    private static long VcpuInfo(ulong frame, ulong offset)
    {
        s_arguments[0] = frame;
        s_arguments[1] = offset;
        return Vcpu(10, 0);
    }

    private static void Arguments(ulong first, ulong second) => s_arguments[0] = (uint)first | (second << 32);

    private static void Reserve(ulong count, uint order, ulong domain)
    {
        s_arguments[0] = (ulong)s_list;
        s_arguments[1] = count;
        s_arguments[2] = order;
        s_arguments[3] = domain;
    }

    private static void Exchange(ulong inCount, uint inOrder, ulong outCount, uint outOrder, ulong done)
    {
        Reserve(inCount, inOrder, Self);
        s_arguments[4] = (ulong)(s_list + 128);
        s_arguments[5] = outCount;
        s_arguments[6] = outOrder;
        s_arguments[7] = Self;
        s_arguments[8] = done;
    }
}
