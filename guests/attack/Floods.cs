// attack_floods: more of everything than there is, all the time, so that nothing is left for others.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class FloodsAttack
{
    private const ulong Slice = 300_000_000;
    private const int MaximumPorts = 4096;

    private static ulong End => Timers.Now + Slice;

    [RuntimeExport("guest_attack_floods")]
    private static void Main()
    {
        Neighbour.Start();
        EventsToTheVictim();
        Ports();
        Lines();
        Flood.CallInLists(End);
        Flood.UpdateTables(End + Slice);
        Flood.SetTimers(End);
        ExtremeTimes();
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

        Flood.SendEvents(bind[2], End);
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

    /// <summary>Times at and beyond the end of all numbers: none of them stops the clock, or comes round to now.</summary>
    private static void ExtremeTimes()
    {
        ReadOnlySpan<ulong> extremes = [1UL << 63, (1UL << 63) - 1, ulong.MaxValue, ulong.MaxValue - 1, 1UL << 62, 0, 1];
        for (int i = 0; i < extremes.Length; i++)
        {
            ulong before = Timers.Now;
            Timers.SingleShot(extremes[i]);
            Xen.Call(HypercallNumber.SetTimerOp, extremes[i]);
            ulong period = extremes[i];
            Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period));
            Xen.Call(HypercallNumber.SchedOp, 0);
            Report.Check(Timers.Now - before < 10 * Slice, "the clock goes on"u8);
        }

        Xen.Call(HypercallNumber.VcpuOp, 7, 0);
        Timers.StopSingleShot();
    }

    private static void MemoryOfTheMachine()
    {
        ulong* frames = (ulong*)Memory.TakePage();
        MemoryReservation request = new() { ExtentStart = (ulong)frames, ExtentCount = 512, DomainId = DomainIds.Self };
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)) <= 0, "more memory than it may have"u8);
        request.ExtentOrder = 9;
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&request)) <= 0, "more memory than it may have, at a time"u8);
        Flood.ExchangeMemory(End);
    }
}
