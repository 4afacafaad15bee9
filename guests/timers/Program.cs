// timers: single shots in the past and the future, the periodic timer, stopping, and the clock itself.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class TimersProgram
{
    private const ulong Millisecond = 1_000_000;

    [RuntimeExport("guest_timers")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Clock();
        Timers.Start();
        SingleShot();
        Stopped();
        Refused();
        SetTimer();
        Periodic();
        Poll();
    }

    private static void Clock()
    {
        ulong last = Timers.Now;
        for (int i = 0; i < 1000; i++)
        {
            ulong now = Timers.Now;
            if (now < last)
            {
                Report.Same(now, last, "the clock goes forward"u8);
                return;
            }

            last = now;
        }

        Report.Check(last != 0, "the clock has begun"u8);
        uint* wall = (uint*)(Memory.Shared + SharedInfoLayout.WallClockVersion);
        Report.Same(wall[0] & 1, 0, "the wall clock is complete"u8);
        Report.Check(wall[1] > 1_600_000_000, "the wall clock's seconds"u8);
        Report.Check(wall[2] < 1_000_000_000, "the wall clock's nanoseconds"u8);
    }

    private static void SingleShot()
    {
        Events.Forget();
        ulong at = Timers.Now + (20 * Millisecond);
        Report.Result(Timers.SingleShot(at), XenError.None, "a shot in the future"u8);
        Report.Same(Events.UpcallPending, 0, "it has not come yet"u8);
        Timers.Wait();
        Report.Check(Timers.Now >= at, "it comes not too early"u8);
        Report.Same(Events.Upcalls, 1, "it comes once"u8);
        Events.Forget();
        Report.Result(Timers.SingleShot(1), XenError.None, "a shot in the past"u8);
        Timers.Wait();
        Report.Same(Events.Upcalls, 1, "it comes at once"u8);
        Report.Result(Timers.SingleShot(Timers.Now + Millisecond, 1), XenError.None, "a shot in the future that must be"u8);
        Timers.Wait();
    }

    private static void Stopped()
    {
        Events.Forget();
        Report.Result(Timers.SingleShot(Timers.Now + (2 * Millisecond)), XenError.None, "a shot"u8);
        Report.Result(Timers.StopSingleShot(), XenError.None, "stopped"u8);
        Spin(5 * Millisecond);
        Report.Same(Events.UpcallPending, 0, "it does not come"u8);
        Report.Result(Timers.SingleShot(Timers.Now + (100_000 * Millisecond)), XenError.None, "a shot in the far future"u8);
        Report.Result(Timers.SingleShot(Timers.Now + Millisecond), XenError.None, "replaced by a near one"u8);
        Timers.Wait();
    }

    private static void Spin(ulong time)
    {
        ulong end = Timers.Now + time;
        while (Timers.Now < end)
        {
            Xen.Call(HypercallNumber.XenVersion);
        }
    }

    private static void Refused()
    {
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 8, 0, 0x1234_5678_9000), XenError.Fault, "a shot that cannot be read"u8);
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 8, 7, 0x1234_5678_9000), XenError.NoEntry, "a vcpu that does not exist"u8);
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 9, 0xFFFF_FFFF), XenError.NoEntry, "vcpu -1"u8);
        ulong period = 1000;
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period)), XenError.Invalid, "a period of a microsecond"u8);
        period = ~0UL;
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period)), XenError.Invalid, "an endless period"u8);
    }

    private static void SetTimer()
    {
        Events.Forget();
        Report.Result(Xen.Call(HypercallNumber.SetTimerOp, Timers.Now + Millisecond), XenError.None, "set_timer_op"u8);
        Timers.Wait();
        Events.Forget();
        Report.Result(Xen.Call(HypercallNumber.SetTimerOp, Timers.Now + Millisecond), XenError.None, "set_timer_op"u8);
        Report.Result(Xen.Call(HypercallNumber.SetTimerOp, 0), XenError.None, "set_timer_op(0) stops it"u8);
        Spin(3 * Millisecond);
        Report.Same(Events.UpcallPending, 0, "it does not come"u8);
    }

    private static void Periodic()
    {
        ulong period = 2 * Millisecond;
        ulong start = Timers.Now;
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 6, 0, (ulong)(&period)), XenError.None, "a periodic timer"u8);
        for (int i = 0; i < 4; i++)
        {
            // A blocked vcpu is not owed the ticks of its periodic timer, so this one keeps running.
            Events.Forget();
            Events.Open();
            while (Events.Upcalls == 0)
            {
                Xen.Call(HypercallNumber.XenVersion);
            }

            Events.Close();
        }

        Report.Check(Timers.Now - start >= 3 * period, "it comes not too often"u8);
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 7, 0), XenError.None, "no periodic timer"u8);
        Events.Open();
        Events.Close();
        Spin(5 * Millisecond);
        Report.Same(Events.UpcallPending, 0, "it comes no more"u8);
    }

    /// <summary>SCHEDOP_poll: returns when a port is pending or the time is over, with events closed.</summary>
    private static void Poll()
    {
        ulong* argument = stackalloc ulong[3];
        uint* ports = stackalloc uint[2];
        ports[0] = Timers.Port;
        argument[0] = (ulong)ports;
        argument[1] = 1;
        ulong end = Timers.Now + (2 * Millisecond);
        argument[2] = end;
        Events.Pending = 0;
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.None, "poll until a time"u8);
        Report.Check(Timers.Now >= end, "the time is over"u8);
        Timers.SingleShot(Timers.Now + Millisecond);
        argument[2] = 0;
        Events.MaskPort(Timers.Port);
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.None, "poll for a port"u8);
        Report.Check((Events.Pending >> (int)Timers.Port & 1) != 0, "the port is pending"u8);
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.None, "poll for a pending port"u8);
        ports[0] = 0x10_0000;
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.Invalid, "poll for a port that cannot be"u8);
        argument[1] = 129;
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.Invalid, "poll for too many ports"u8);
        argument[1] = 1;
        argument[0] = 0x1234_5678_9000;
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, (ulong)argument), XenError.Fault, "poll for ports that cannot be read"u8);
        Report.Result(Xen.Call(HypercallNumber.SchedOp, 3, 0x1234_5678_9000), XenError.Fault, "poll that cannot be read"u8);
    }
}
