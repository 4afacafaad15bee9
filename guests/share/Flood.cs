// Floods: each asks for one thing without end until a time.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

/// <summary>Ends are in nanoseconds since the hypervisor's start.</summary>
internal static unsafe class Flood
{
    private const int ListEntries = 2048;
    private const int PagesOfMemory = 256;
    private const int LastPort = 16;
    private const ulong Millisecond = 1_000_000;
    private const ulong Shortly = 10_000;

    private static byte* s_list;

    /// <summary>A list for long calls.</summary>
    private static byte* List
    {
        get
        {
            if (s_list == null)
            {
                s_list = Memory.TakePage();
                for (int i = 1; i < ListEntries * sizeof(MulticallEntry) / Memory.PageBytes; i++)
                {
                    Memory.TakePage();
                }
            }

            return s_list;
        }
    }

    /// <summary>Events for the victim, by the first of its ports that can be bound.</summary>
    internal static void SendEvents(ulong end)
    {
        uint* bind = stackalloc uint[3];
        bind[0] = (uint)Arguments.Number("victim"u8, 1);
        for (bind[1] = 1; Xen.EventChannel(0, bind) != 0; bind[1] = (bind[1] % LastPort) + 1)
        {
            Xen.Call(HypercallNumber.SchedOp, 0);
            if (Timers.Now > end)
            {
                Report.Error("nobody has opened a port"u8);
            }
        }

        SendEvents(bind[2], end);
    }

    /// <summary>Events by a port.</summary>
    internal static void SendEvents(uint port, ulong end)
    {
        while (Timers.Now < end)
        {
            Events.Send(port);
        }
    }

    /// <summary>Lines by hypercall.</summary>
    internal static void SayLines(ulong end)
    {
        while (Timers.Now < end)
        {
            Report.Note("one of many lines that say nothing"u8, Timers.Now);
        }
    }

    /// <summary>Whatever the page holds, by the console's ring, which is called full at every look.</summary>
    internal static void FillRing(ulong end)
    {
        uint port = *(uint*)(Memory.StartInfo + StartInfoLayout.ConsoleEventChannel);
        while (Timers.Now < end)
        {
            ConsoleRing.Claim();
            Events.Send(port);
        }
    }

    /// <summary>Long lists of calls, which have to be interrupted.</summary>
    internal static void CallInLists(ulong end)
    {
        MulticallEntry* calls = (MulticallEntry*)List;
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

    /// <summary>Trees of tables that are checked and given up again, long lists of updates, and flushes.</summary>
    internal static void UpdateTables(ulong end)
    {
        ulong* page = (ulong*)Memory.TakePage();
        ulong* root = MakeTree(page);
        MmuUpdate* updates = (MmuUpdate*)List;
        for (int i = 0; i < ListEntries; i++)
        {
            updates[i] = new MmuUpdate { Pointer = Memory.Machine(page) | MmuUpdate.MachineToPhysicalUpdate, Value = (ulong)i };
        }

        while (Timers.Now < end)
        {
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL4Table, Memory.Frame(root)), XenError.None, "the tree is checked"u8);
            Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(root)), XenError.None, "the tree is given up"u8);
            Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)updates, ListEntries, 0, DomainIds.Self), XenError.None, "many updates"u8);
            Xen.MmuExtended(MmuExtendedCommand.TlbFlushAll, 0);
            Xen.MmuExtended(MmuExtendedCommand.FlushCache, 0);
        }
    }

    /// <summary>Timers that are over when they are set, and a periodic one.</summary>
    internal static void SetTimers(ulong end)
    {
        ulong period = Millisecond;
        Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period));
        while (Timers.Now < end)
        {
            Timers.SingleShot(Timers.Now + 1000);
            Timers.SingleShot(1);
        }

        Xen.Call(HypercallNumber.VcpuOp, 7, 0);
    }

    /// <summary>Sleeps shortly, over and over; the timer's event is bound.</summary>
    internal static void WakeAndSleep(ulong end)
    {
        while (Timers.Now < end)
        {
            Timers.WaitUntil(Timers.Now + Shortly);
        }
    }

    internal static void Yield(ulong end)
    {
        while (Timers.Now < end)
        {
            Xen.Call(HypercallNumber.SchedOp, 0);
        }
    }

    /// <summary>As much memory as there is, given back and taken over and over; the domain has no more than it may have.</summary>
    internal static void ExchangeMemory(ulong end)
    {
        ulong* frames = (ulong*)List;
        MemoryReservation request = new() { ExtentStart = (ulong)frames, ExtentCount = 1024, DomainId = DomainIds.Self };
        ulong first = Memory.PageCount - PagesOfMemory;
        for (ulong i = 0; i < PagesOfMemory; i++)
        {
            Xen.UpdateVaMapping(Memory.VirtualBase + ((first + i) << 12), 0);
            frames[i] = Memory.MfnList[first + i];
        }

        while (Timers.Now < end)
        {
            request.ExtentCount = PagesOfMemory;
            Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), PagesOfMemory, "given back"u8);
            for (ulong i = 0; i < 2 * PagesOfMemory; i++)
            {
                frames[i] = first + i;
            }

            request.ExtentCount = 2 * PagesOfMemory;
            Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)), PagesOfMemory, "taken"u8);
        }
    }

    /// <summary>A root each of whose entries leads to the same page.</summary>
    private static ulong* MakeTree(ulong* page)
    {
        ulong* root = (ulong*)Memory.TakePage();
        ulong* level3 = (ulong*)Memory.TakePage();
        ulong* level2 = (ulong*)Memory.TakePage();
        ulong* level1 = (ulong*)Memory.TakePage();
        for (int i = 0; i < 512; i++)
        {
            level1[i] = Memory.Machine(page) | PageTables.UserWritable;
            level2[i] = Memory.Machine(level1) | PageTables.Table;
            level3[i] = Memory.Machine(level2) | PageTables.Table;
            root[i] = i is < 256 or > 271 ? Memory.Machine(level3) | PageTables.Table : 0;
        }

        Report.Same((ulong)(PageTables.MakeReadOnly(root) | PageTables.MakeReadOnly(level3) | PageTables.MakeReadOnly(level2) | PageTables.MakeReadOnly(level1)), 0, "a tree"u8);
        return root;
    }
}
