// Which vcpu runs where.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// Proportional share by virtual time. A processor that needs work takes the runnable vcpu that has had the least; nothing is bound to
/// a processor, so none idles while a vcpu waits. A vcpu that wakes starts no further back than a bonus behind the others, so that it
/// is served soon and yet cannot save time up.
/// </summary>
internal static class Scheduler
{
    private const ulong SliceNanoseconds = 10_000_000;
    private const ulong WakeBonusNanoseconds = 5_000_000;

    /// <summary>A vcpu keeps its processor unless another is behind by more than this.</summary>
    private const ulong GranularityNanoseconds = 500_000;

    /// <summary>Slots of the vcpu table that have been used.</summary>
    internal static int VcpuCount => VcpuTable.Count;

    internal static void Add(ref Vcpu vcpu)
    {
        vcpu.Schedule.RunsOn = -1;
        vcpu.Schedule.LoadedOn = -1;
    }

    /// <summary>An event came for the vcpu, or its poll is over: it stops waiting.</summary>
    internal static void Wake(ref Vcpu vcpu)
    {
        if (!vcpu.Schedule.IsBlocked)
        {
            Kick(ref vcpu);
            return;
        }

        vcpu.Schedule.IsBlocked = false;
        vcpu.Events.IsPolling = false;
        vcpu.Time.PollTimeout = 0;
        BecomeRunnable(ref vcpu);
    }

    /// <summary>The vcpu has nothing to do until an event comes; it goes on at the next return to guests.</summary>
    internal static void Block(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsBlocked = true;
        vcpu.Context.Work |= VcpuWork.Reschedule;
    }

    internal static void Yield(ref Vcpu vcpu)
    {
        Account(ref vcpu);
        vcpu.Schedule.VirtualTime = Math.Max(vcpu.Schedule.VirtualTime, LeastOfRunnable(vcpu.Schedule.VirtualTime) + GranularityNanoseconds + 1);
        vcpu.Context.Work |= VcpuWork.Reschedule;
    }

    internal static void Up(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = true;
        BecomeRunnable(ref vcpu);
    }

    internal static void Down(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = false;
        vcpu.Context.Work |= VcpuWork.Reschedule;
        if (vcpu.Schedule.RunsOn >= 0)
        {
            Kick(ref vcpu);
        }
        else
        {
            SetWaitingState(ref vcpu);
        }
    }

    /// <summary>Has the vcpu's processor look at what waits for it, if another than this one runs it.</summary>
    internal static void Kick(ref Vcpu vcpu)
    {
        int processor = vcpu.Schedule.RunsOn;
        if (processor >= 0 && processor != Cpu.Index)
        {
            LocalApic.SendInterrupt(ProcessorTable.At(processor).ApicId, Vectors.Kick);
        }
    }

    /// <summary>This processor's slice is over.</summary>
    internal static void EndSlice()
    {
        int current = ProcessorTable.Current.CurrentVcpu;
        if (current >= 0)
        {
            VcpuTable.Context(current).Work |= VcpuWork.Reschedule;
        }
    }

    /// <summary>The vcpu to run next on this processor, loaded; waits while there is none. -1: this processor ran none before.</summary>
    internal static int Choose(int current)
    {
        if (current >= 0)
        {
            ref VcpuContext context = ref VcpuTable.Context(current);
            if ((context.Work & (VcpuWork.Reschedule | VcpuWork.Stop)) == 0)
            {
                return current;
            }

            context.Work &= ~VcpuWork.Reschedule;
            Leave(ref VcpuTable.At(current));
        }

        int next = Pick(current);
        if (next < 0)
        {
            next = Idle();
        }

        Load(ref VcpuTable.At(next));
        return next;
    }

    private static void Leave(ref Vcpu vcpu)
    {
        Account(ref vcpu);
        vcpu.Schedule.RunsOn = -1;
        SetWaitingState(ref vcpu);
    }

    /// <summary>The run state of a vcpu that has no processor.</summary>
    private static void SetWaitingState(ref Vcpu vcpu)
    {
        int state = !vcpu.Schedule.IsUp ? RunState.Offline : vcpu.Schedule.IsBlocked ? RunState.Blocked : RunState.Runnable;
        if (vcpu.Time.RunState != state)
        {
            RunState.Change(ref vcpu, state);
        }
    }

    private static void Load(ref Vcpu vcpu)
    {
        ref Processor processor = ref ProcessorTable.Current;
        if (processor.CurrentVcpu != vcpu.Index)
        {
            Unload(ref vcpu);
            if (processor.CurrentVcpu >= 0)
            {
                ref Vcpu last = ref VcpuTable.At(processor.CurrentVcpu);
                ContextSwitch.Save(ref last);
                last.Schedule.LoadedOn = -1;
            }

            vcpu.Schedule.LoadedOn = Cpu.Index;
            ContextSwitch.Load(ref vcpu);
        }

        vcpu.Schedule.RunsOn = Cpu.Index;
        vcpu.Schedule.AccountedAt = SystemTime.Now();
        RunState.Change(ref vcpu, RunState.Running);
        RunState.Publish(ref vcpu);
        processor.SliceEnd = 0;
        if (LeastOfRunnable(ulong.MaxValue) != ulong.MaxValue)
        {
            processor.SliceEnd = SystemTime.Now() + SliceNanoseconds;
            Timers.Program(processor.SliceEnd);
        }
    }

    /// <summary>Has the processor that still holds the vcpu's state store it.</summary>
    private static void Unload(ref Vcpu vcpu)
    {
        int holder = vcpu.Schedule.LoadedOn;
        if (holder >= 0 && holder != Cpu.Index)
        {
            ref Processor processor = ref ProcessorTable.At(holder);
            RemoteRequests.Post(ref processor, RemoteRequests.Unload);
            RemoteRequests.Await(ref processor);
            vcpu.Schedule.LoadedOn = -1;
        }
    }

    /// <summary>Halts until there is a vcpu to run. The last vcpu's state stays loaded: most often it is the next one too.</summary>
    private static int Idle()
    {
        ref Processor processor = ref ProcessorTable.Current;
        processor.IsIdle = true;
        processor.IdleSince = SystemTime.Now();
        int next;
        do
        {
            Memory.TlbClock.Settle();
            HypervisorLock.Exit();
            Cpu.HaltWithInterrupts();
            HypervisorLock.Enter();
        }
        while ((next = Pick(-1)) < 0);

        processor.IsIdle = false;
        processor.IdleTime += SystemTime.Now() - processor.IdleSince;
        return next;
    }

    /// <summary>The runnable vcpu that has had the least, unless <paramref name="current"/> may go on; -1 when there is none.</summary>
    private static int Pick(int current)
    {
        int best = -1;
        ulong least = ulong.MaxValue;
        for (int index = 0; index < VcpuCount; index++)
        {
            ref VcpuSchedule schedule = ref VcpuTable.At(index).Schedule;
            if (schedule.IsRunnable && schedule.RunsOn < 0)
            {
                ulong time = schedule.VirtualTime;
                time -= index == current ? Math.Min(time, GranularityNanoseconds) : 0;
                if (best < 0 || time < least)
                {
                    best = index;
                    least = time;
                }
            }
        }

        return best;
    }

    private static void BecomeRunnable(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn >= 0)
        {
            return;
        }

        SetWaitingState(ref vcpu);
        AccountRunning();
        ulong least = LeastOfAll(vcpu.Index);
        if (least != ulong.MaxValue && vcpu.Schedule.VirtualTime + WakeBonusNanoseconds < least)
        {
            vcpu.Schedule.VirtualTime = least - WakeBonusNanoseconds;
        }

        if (vcpu.Schedule.IsRunnable)
        {
            FindProcessor(ref vcpu);
        }
    }

    /// <summary>An idle processor takes the vcpu; else the one whose vcpu has had the most looks again, and its slice ends in time.</summary>
    private static void FindProcessor(ref Vcpu vcpu)
    {
        int loaded = vcpu.Schedule.LoadedOn;
        if (loaded >= 0 && ProcessorTable.At(loaded).IsIdle)
        {
            Interrupt(loaded);
            return;
        }

        int victim = -1;
        ulong most = 0;
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            if (processor.IsIdle)
            {
                Interrupt(index);
                return;
            }

            if (processor.CurrentVcpu >= 0)
            {
                ulong time = VcpuTable.At(processor.CurrentVcpu).Schedule.VirtualTime;
                if (victim < 0 || time > most)
                {
                    victim = index;
                    most = time;
                }
            }
        }

        if (victim >= 0)
        {
            VcpuTable.Context(ProcessorTable.At(victim).CurrentVcpu).Work |= VcpuWork.Reschedule;
            Interrupt(victim);
        }
    }

    private static void Interrupt(int processor)
    {
        if (processor != Cpu.Index)
        {
            LocalApic.SendInterrupt(ProcessorTable.At(processor).ApicId, Vectors.Kick);
        }
    }

    /// <summary>Brings the accounts of all that run up to date.</summary>
    private static void AccountRunning()
    {
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            int current = ProcessorTable.At(index).CurrentVcpu;
            if (current >= 0)
            {
                Account(ref VcpuTable.At(current));
            }
        }
    }

    /// <summary>Charges a running vcpu for the time since its account was last settled.</summary>
    private static void Account(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.RunsOn < 0)
        {
            return;
        }

        ulong now = SystemTime.Now();
        vcpu.Schedule.VirtualTime += now - vcpu.Schedule.AccountedAt;
        vcpu.Schedule.AccountedAt = now;
    }

    /// <summary>The least virtual time among the vcpus that wait for a processor, or the default.</summary>
    private static ulong LeastOfRunnable(ulong none) => Least(-1, false, none);

    /// <summary>The least virtual time among the vcpus that run or wait for a processor, without one; MaxValue when there is none.</summary>
    private static ulong LeastOfAll(int without) => Least(without, true, ulong.MaxValue);

    private static ulong Least(int without, bool running, ulong none)
    {
        bool found = false;
        ulong least = none;
        for (int index = 0; index < VcpuCount; index++)
        {
            ref VcpuSchedule schedule = ref VcpuTable.At(index).Schedule;
            if (index != without && schedule.IsRunnable && (running || schedule.RunsOn < 0) && (!found || schedule.VirtualTime < least))
            {
                found = true;
                least = schedule.VirtualTime;
            }
        }

        return least;
    }
}
