// When the next thing is due, and what to do then.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Time;

/// <summary>
/// The timers of the vcpus and the slices of the processors, served by one one-shot timer per processor. A vcpu's timers are watched by
/// the processor on which they were last set.
/// </summary>
internal static class Timers
{
    private const ulong Never = ulong.MaxValue;

    /// <summary>Some domain has set a watchdog since boot.</summary>
    internal static bool HasWatchdogs { get; set; }

    /// <summary>A timer of the vcpu has been set.</summary>
    internal static void Add(ref Vcpu vcpu, ulong deadline)
    {
        vcpu.Time.WatchedBy = Cpu.Index;
        Program(deadline);
    }

    /// <summary>Programs this processor's timer if the deadline is earlier than what it waits for.</summary>
    internal static void Program(ulong deadline)
    {
        ref Processor processor = ref ProcessorTable.Current;
        if (deadline < processor.ProgrammedDeadline)
        {
            processor.ProgrammedDeadline = deadline;
            LocalApicTimer.SetDeadline(deadline);
        }
    }

    /// <summary>The hardware timer fired: does what is due and programs the next deadline.</summary>
    internal static void OnInterrupt()
    {
        ref Processor processor = ref ProcessorTable.Current;
        ulong now = SystemTime.Now();
        ulong next = Never;
        for (int index = 0; index < Scheduler.VcpuCount; index++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(index);
            if (vcpu.Time.WatchedBy == Cpu.Index)
            {
                Fire(ref vcpu, now);
                next = Earlier(next, vcpu.Time.SingleShot);
                next = Earlier(next, vcpu.Time.PeriodicNext);
                next = Earlier(next, vcpu.Time.PollTimeout);
            }
        }

        if (processor.SliceEnd != 0 && processor.SliceEnd <= now)
        {
            processor.SliceEnd = 0;
            Scheduler.EndSlice();
        }

        next = Earlier(next, processor.SliceEnd);
        if (HasWatchdogs)
        {
            next = Earlier(next, Watchdogs.Serve(now));
        }

        next = Earlier(next, DomainConsoles.ServeWaiting(now));
        processor.ProgrammedDeadline = next;
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
            Scheduler.Wake(ref vcpu);
        }
    }

    private static ulong Earlier(ulong next, ulong deadline) => deadline != 0 && deadline < next ? deadline : next;
}
