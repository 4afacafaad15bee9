// attack_floods: more of everything than there is, all the time, so that nothing is left for others.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class FloodsAttack
{
    private const ulong Slice = 300_000_000;
    private const int ListEntries = 2048;
    private const int MaximumPorts = 4096;

    private static byte* s_list;

    [RuntimeExport("guest_attack_floods")]
    private static void Main()
    {
        Neighbour.Start();
        s_list = Memory.TakePage();
        for (int i = 1; i < ListEntries * sizeof(MulticallEntry) / Memory.PageBytes; i++)
        {
            Memory.TakePage();
        }

        EventsToTheVictim();
        Ports();
        Lines();
        Calls();
        Updates();
        TimersAndPeriods();
        MemoryOfTheMachine();
        Neighbour.Finish();
    }

    private static void EventsToTheVictim()
    {
        ulong argument = Neighbour.Victim | (Neighbour.Letter.Port << 32);
        uint* bind = stackalloc uint[3];
        bind[0] = (uint)argument;
        bind[1] = (uint)Neighbour.Letter.ForeignPort;
        bind[2] = 0;
        Report.Check(Xen.EventChannel(0, bind) < 0, "a port for another domain"u8);
        for (uint port = 0; port < 64; port++)
        {
            bind[1] = port;
            Report.Check(port == Neighbour.Letter.Port || Xen.EventChannel(0, bind) < 0, "a port that was not offered"u8);
        }

        bind[1] = (uint)Neighbour.Letter.Port;
        if (!Report.Result(Xen.EventChannel(0, bind), XenError.None, "a port that was offered"u8))
        {
            return;
        }

        ulong end = Timers.Now + Slice;
        while (Timers.Now < end)
        {
            Events.Send(bind[2]);
        }

        Report.Result(Events.ClosePort(bind[2]), XenError.None, "its end"u8);
    }

    private static void Ports()
    {
        ulong first = 0;
        ulong count = 0;
        for (; count < MaximumPorts + 1; count++)
        {
            ulong argument = DomainIds.Self | ((ulong)Neighbour.Victim << 16);
            if (Xen.EventChannel(6, &argument) != 0)
            {
                break;
            }

            first = first == 0 ? argument >> 32 : first;
        }

        Report.Check(count is > 0 and <= MaximumPorts, "there is an end to ports"u8);
        for (uint port = (uint)first; port < first + count; port++)
        {
            Events.ClosePort(port);
        }
    }

    private static void Lines()
    {
        for (int i = 0; i < 100; i++)
        {
            Report.Note("one of many lines that say nothing"u8, (ulong)i);
        }
    }

    /// <summary>Long lists of calls, which have to be interrupted.</summary>
    private static void Calls()
    {
        MulticallEntry* calls = (MulticallEntry*)s_list;
        ulong end = Timers.Now + Slice;
        while (Timers.Now < end)
        {
            for (int i = 0; i < ListEntries; i++)
            {
                calls[i] = new MulticallEntry { Operation = (ulong)HypercallNumber.XenVersion, Argument0 = 0 };
            }

            Report.Result(Xen.Call(HypercallNumber.Multicall, (ulong)calls, ListEntries), XenError.None, "many calls"u8);
            Report.Same((ulong)calls[ListEntries - 1].Result, 0x4_0011, "the last of them"u8);
        }
    }

    /// <summary>Trees of tables that are checked and given up again, over and over.</summary>
    private static void Updates()
    {
        ulong* root = (ulong*)Memory.TakePage();
        ulong* level3 = (ulong*)Memory.TakePage();
        ulong* level2 = (ulong*)Memory.TakePage();
        ulong* level1 = (ulong*)Memory.TakePage();
        ulong* page = (ulong*)Memory.TakePage();
        for (int i = 0; i < 512; i++)
        {
            level1[i] = Memory.Machine(page) | PageTables.UserWritable;
            level2[i] = Memory.Machine(level1) | PageTables.Table;
            level3[i] = Memory.Machine(level2) | PageTables.Table;
            root[i] = i is < 256 or > 271 ? Memory.Machine(level3) | PageTables.Table : 0;
        }

        Report.Same((ulong)(PageTables.MakeReadOnly(root) | PageTables.MakeReadOnly(level3) | PageTables.MakeReadOnly(level2) | PageTables.MakeReadOnly(level1)), 0, "a tree"u8);
        ulong end = Timers.Now + Slice;
        while (Timers.Now < end)
        {
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL4Table, Memory.Frame(root)), XenError.None, "the tree is checked"u8);
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(root)), XenError.None, "the tree is given up"u8);
        }

        MmuUpdate* updates = (MmuUpdate*)s_list;
        end = Timers.Now + Slice;
        for (int i = 0; i < ListEntries; i++)
        {
            updates[i] = new MmuUpdate { Pointer = Memory.Machine(page) | MmuUpdate.MachineToPhysicalUpdate, Value = (ulong)i };
        }

        while (Timers.Now < end)
        {
            Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)updates, ListEntries, 0, DomainIds.Self), XenError.None, "many updates"u8);
            Xen.MmuExtended(MmuExtendedCommand.TlbFlushAll, 0);
            Xen.MmuExtended(MmuExtendedCommand.FlushCache, 0);
        }
    }

    private static void TimersAndPeriods()
    {
        ulong period = 1_000_000;
        Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period));
        ulong end = Timers.Now + Slice;
        while (Timers.Now < end)
        {
            Timers.SingleShot(Timers.Now + 1000);
            Timers.SingleShot(1);
        }

        // Times at and beyond the end of all numbers: none of them stops the clock, or comes round to now.
        ReadOnlySpan<ulong> extremes = [1UL << 63, (1UL << 63) - 1, ulong.MaxValue, ulong.MaxValue - 1, 1UL << 62, 0, 1];
        for (int i = 0; i < extremes.Length; i++)
        {
            ulong before = Timers.Now;
            Timers.SingleShot(extremes[i]);
            Xen.Call(HypercallNumber.SetTimerOp, extremes[i]);
            period = extremes[i];
            Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period));
            Xen.Call(HypercallNumber.SchedOp, 0);
            Report.Check(Timers.Now - before < 10 * Slice, "the clock goes on"u8);
        }

        Xen.Call(HypercallNumber.VcpuOp, 7, 0);
        Timers.StopSingleShot();
    }

    /// <summary>As much memory as there is, given back and taken over and over; the domain has no more than it may have.</summary>
    private static void MemoryOfTheMachine()
    {
        ulong* frames = (ulong*)s_list;
        MemoryReservation request = new() { ExtentStart = (ulong)frames, ExtentCount = 1024, DomainId = DomainIds.Self };
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)) <= 0, "more memory than it may have"u8);
        request.ExtentOrder = 9;
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&request)) <= 0, "more memory than it may have, at a time"u8);
        request.ExtentOrder = 0;
        ulong end = Timers.Now + Slice;
        ulong first = Memory.PageCount - 256;
        for (ulong i = 0; i < 256; i++)
        {
            Xen.UpdateVaMapping(Memory.VirtualBase + ((first + i) << 12), 0);
            frames[i] = Memory.MfnList[first + i];
        }

        while (Timers.Now < end)
        {
            request.ExtentCount = 256;
            Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), 256, "given back"u8);
            for (ulong i = 0; i < 512; i++)
            {
                frames[i] = first + i;
            }

            request.ExtentCount = 512;
            Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)), 256, "taken"u8);
        }
    }
}
