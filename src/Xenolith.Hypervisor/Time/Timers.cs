// When the next thing is due, and what to do then.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Time;

/// <summary>
/// The timers of the vcpus and the slices of the processors, served by one one-shot timer per processor. A vcpu's deadlines are watched
/// together, as the first of them, by the processor on which they were last set or on which the vcpu has been loaded since.
/// </summary>
internal static class Timers
{
    private const ulong Never = ulong.MaxValue;
    private const ulong All = 1;

    /// <summary>A deadline of the vcpu has been set or cleared.</summary>
    internal static void Update(ref Vcpu vcpu)
    {
        ref VcpuTime time = ref vcpu.Time;
        ulong deadline = First(ref time);
        ref Processor processor = ref ProcessorTable.Current;
        if (time.Node.IsLinked)
        {
            if (time.WatchedBy == Cpu.Index && deadline != Never)
            {
                OrderedTree<Nodes>.Move(ref processor.TimerRoot, vcpu.Index, deadline);
                Program(ref processor, deadline);
                return;
            }

            Remove(ref vcpu);
        }

        if (deadline != Never)
        {
            time.WatchedBy = Cpu.Index;
            OrderedTree<Nodes>.Insert(ref processor.TimerRoot, vcpu.Index, deadline, All);
            Program(ref processor, deadline);
        }
    }

    /// <summary>The vcpu has come to this processor: so do its timers.</summary>
    internal static void Follow(ref Vcpu vcpu)
    {
        if (vcpu.Time.WatchedBy != Cpu.Index)
        {
            Update(ref vcpu);
        }
    }

    /// <summary>Nobody watches the vcpu's deadlines any more.</summary>
    internal static void Remove(ref Vcpu vcpu)
    {
        if (vcpu.Time.Node.IsLinked)
        {
            OrderedTree<Nodes>.Remove(ref ProcessorTable.At(vcpu.Time.WatchedBy).TimerRoot, vcpu.Index);
        }
    }

    /// <summary>Programs this processor's timer if the deadline is earlier than what it waits for.</summary>
    internal static void Program(ulong deadline) => Program(ref ProcessorTable.Current, deadline);

    /// <summary>The hardware timer fired: does what is due and programs the next deadline.</summary>
    internal static void OnInterrupt()
    {
        ref Processor processor = ref ProcessorTable.Current;
        ulong now = SystemTime.Now();

        // What is set meanwhile need not be programmed at once.
        processor.ProgrammedDeadline = 0;
        ulong next = Never;
        int index;
        while ((index = OrderedTree<Nodes>.First(processor.TimerRoot, All)) >= 0)
        {
            ref Vcpu vcpu = ref VcpuTable.At(index);
            if (vcpu.Time.Node.Key > now)
            {
                next = vcpu.Time.Node.Key;
                break;
            }

            Fire(ref vcpu, now);
            Update(ref vcpu);
        }

        if (processor.SliceEnd != 0 && processor.SliceEnd <= now)
        {
            processor.SliceEnd = 0;
            Scheduler.EndSlice();
        }

        next = Earlier(next, processor.SliceEnd);
        next = Earlier(next, DomainConsoles.ServeWaiting(now));
        if (DomainReaper.HasWork)
        {
            next = Earlier(next, DomainReaper.Serve(now));
        }

        next = Earlier(next, GuestRestarts.Serve(now));
        processor.ProgrammedDeadline = next;
        if (next != Never)
        {
            LocalApicTimer.SetDeadline(next);
        }
    }

    private static void Program(ref Processor processor, ulong deadline)
    {
        if (deadline < processor.ProgrammedDeadline)
        {
            processor.ProgrammedDeadline = deadline;
            LocalApicTimer.SetDeadline(deadline);
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

        if (vcpu.Time.DomainDeadline != 0 && vcpu.Time.DomainDeadline <= now)
        {
            DomainTimers.Serve(ref vcpu.Domain, now);
        }
    }

    private static ulong First(ref VcpuTime time)
    {
        ulong first = Earlier(Never, time.SingleShot);
        first = Earlier(first, time.PeriodicNext);
        first = Earlier(first, time.PollTimeout);
        return Earlier(first, time.DomainDeadline);
    }

    private static ulong Earlier(ulong next, ulong deadline) => deadline != 0 && deadline < next ? deadline : next;

    private struct Nodes : ITreeNodes
    {
        public readonly ref TreeNode At(int index) => ref VcpuTable.At(index).Time.Node;
    }
}
