// Time and the vcpu's timers.
using System.Threading;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>The clock of the shared page, and the timer's event.</summary>
internal static unsafe class Timers
{
    private static uint s_port;

    internal static uint Port => s_port;

    /// <summary>Nanoseconds since the hypervisor's start.</summary>
    internal static ulong Now
    {
        get
        {
            VcpuTimeInfo* info = (VcpuTimeInfo*)(Memory.Shared + 0x20);
            while (true)
            {
                uint version = Volatile.Read(ref info->Version);
                if ((version & 1) != 0)
                {
                    continue;
                }

                ulong delta = Native.Tsc() - info->TscTimestamp;
                delta = info->TscShift < 0 ? delta >> -info->TscShift : delta << info->TscShift;
                ulong time = info->SystemTime + ((delta >> 32) * info->TscToSystemMultiplier)
                    + (((delta & 0xFFFF_FFFF) * info->TscToSystemMultiplier) >> 32);
                if (Volatile.Read(ref info->Version) == version)
                {
                    return time;
                }
            }
        }
    }

    /// <summary>Stops the periodic timer and binds the timer's event.</summary>
    internal static void Start()
    {
        Report.Result(Xen.Call(HypercallNumber.VcpuOp, 7, 0), XenError.None, "stop_periodic_timer"u8);
        long port = Events.BindVirq((uint)VirtualIrq.Timer, 0);
        if (port <= 0)
        {
            Report.Error("the timer's event cannot be bound"u8);
        }

        s_port = (uint)port;
        Events.Unmask(s_port);
    }

    /// <summary>Has the event come at a time; flag 1: only if that is not over yet.</summary>
    internal static long SingleShot(ulong at, uint flags = 0)
    {
        ulong* argument = stackalloc ulong[2];
        argument[0] = at;
        argument[1] = flags;
        return Xen.Call(HypercallNumber.VcpuOp, 8, 0, (ulong)argument);
    }

    internal static long StopSingleShot() => Xen.Call(HypercallNumber.VcpuOp, 9, 0);

    /// <summary>Blocks until a time.</summary>
    internal static void WaitUntil(ulong at)
    {
        Events.Forget();
        SingleShot(at);
        Wait();
    }

    /// <summary>Blocks with events open until the timer's event has come.</summary>
    internal static void Wait()
    {
        // Between the look and the block events stay closed: blocking opens them.
        Events.Close();
        while ((Events.Seen & (1UL << (int)s_port)) == 0)
        {
            Xen.Call(HypercallNumber.SchedOp, 1);
            Events.Close();
        }
    }
}
