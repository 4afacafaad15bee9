// When the next thing is due, and what to do then.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Time;

/// <summary>The timers of the vcpus and the scheduler's slice, all served by one one-shot timer of the processor.</summary>
internal static class Timers
{
    private const ulong Never = ulong.MaxValue;

    private static ulong s_programmed = Never;

    /// <summary>End of the running vcpu's slice, or 0.</summary>
    internal static ulong SliceEnd { get; set; }

    /// <summary>Some domain has set a watchdog since boot.</summary>
    internal static bool HasWatchdogs { get; set; }

    /// <summary>A deadline has been set: programs the hardware if it is earlier than what it waits for.</summary>
    internal static void Add(ulong deadline)
    {
        if (deadline < s_programmed)
        {
            s_programmed = deadline;
            LocalApicTimer.SetDeadline(deadline);
        }
    }

    /// <summary>The hardware timer fired: does what is due and programs the next deadline.</summary>
    internal static void OnInterrupt()
    {
        ulong now = SystemTime.Now();
        ulong next = Never;
        for (int index = 0; index < Scheduler.VcpuCount; index++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(index);
            Fire(ref vcpu, now);
            next = Earlier(next, vcpu.Time.SingleShot);
            next = Earlier(next, vcpu.Time.PeriodicNext);
            next = Earlier(next, vcpu.Time.PollTimeout);
        }

        if (SliceEnd != 0 && SliceEnd <= now)
        {
            SliceEnd = 0;
            Scheduler.RequestReschedule();
        }

        next = Earlier(next, SliceEnd);
        if (HasWatchdogs)
        {
            next = Earlier(next, Watchdogs.Serve(now));
        }

        s_programmed = next;
        if (next != Never)
        {
            LocalApicTimer.SetDeadline(next);
        }
    }

    private static void Fire(ref Vcpu vcpu, ulong now)
    {
        if (vcpu.Time.SingleShot != 0 && vcpu.Time.SingleShot <= now)
        {
            vcpu.Time.SingleShot = 0;
            EventPorts.RaiseVirq(ref vcpu, VirtualIrq.Timer);
        }

        if (vcpu.Time.PeriodicNext != 0 && vcpu.Time.PeriodicNext <= now)
        {
            vcpu.Time.PeriodicNext = now + vcpu.Time.PeriodicInterval;
            EventPorts.RaiseVirq(ref vcpu, VirtualIrq.Timer);
        }

        if (vcpu.Time.PollTimeout != 0 && vcpu.Time.PollTimeout <= now)
        {
            Scheduler.EndPoll(ref vcpu);
        }
    }

    private static ulong Earlier(ulong next, ulong deadline) => deadline != 0 && deadline < next ? deadline : next;
}
