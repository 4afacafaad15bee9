// Which vcpu runs.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Round robin over the runnable vcpus in slices; a vcpu that wakes goes first.</summary>
internal static class Scheduler
{
    private const ulong SliceNanoseconds = 10_000_000;

    private static int s_boosted = -1;

    /// <summary>Slots of the vcpu table that have been used.</summary>
    internal static int VcpuCount { get; private set; }

    internal static void Add(ref Vcpu vcpu) => VcpuCount = Math.Max(VcpuCount, vcpu.Index + 1);

    internal static void RequestReschedule()
    {
        ProcessorTable.Current.NeedReschedule = true;
        int current = ProcessorTable.Current.CurrentVcpu;
        if (current >= 0)
        {
            VcpuTable.Context(current).Work |= VcpuWork.Reschedule;
        }
    }

    /// <summary>An event came for the vcpu: it stops waiting.</summary>
    internal static void Wake(ref Vcpu vcpu)
    {
        if (!vcpu.Schedule.IsBlocked)
        {
            return;
        }

        vcpu.Schedule.IsBlocked = false;
        EndPolling(ref vcpu);
        RunState.Change(ref vcpu, vcpu.Schedule.IsUp ? RunState.Runnable : RunState.Offline);
        s_boosted = vcpu.Index;
        RequestReschedule();
    }

    /// <summary>A polled port is pending, or the time is over.</summary>
    internal static void EndPoll(ref Vcpu vcpu) => Wake(ref vcpu);

    /// <summary>The vcpu has nothing to do until an event comes; it goes on at the next return to guests.</summary>
    internal static void Block(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsBlocked = true;
        vcpu.Context.Work |= VcpuWork.Reschedule;
    }

    internal static void Yield(ref Vcpu vcpu) => vcpu.Context.Work |= VcpuWork.Reschedule;

    internal static void Up(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = true;
        RunState.Change(ref vcpu, vcpu.Schedule.IsBlocked ? RunState.Blocked : RunState.Runnable);
        RequestReschedule();
    }

    internal static void Down(ref Vcpu vcpu)
    {
        vcpu.Schedule.IsUp = false;
        if (vcpu.Time.RunState == RunState.Running)
        {
            vcpu.Context.Work |= VcpuWork.Reschedule;
        }
        else
        {
            RunState.Change(ref vcpu, RunState.Offline);
        }
    }

    /// <summary>The vcpu to run next, loaded; waits while there is none.</summary>
    internal static int Choose(int current)
    {
        ref VcpuContext context = ref VcpuTable.Context(current);
        if ((context.Work & (VcpuWork.Reschedule | VcpuWork.Stop)) == 0)
        {
            return current;
        }

        context.Work &= ~VcpuWork.Reschedule;
        ref Processor processor = ref ProcessorTable.Current;
        processor.NeedReschedule = false;
        ref Vcpu leaving = ref VcpuTable.At(current);
        if (!leaving.Schedule.IsRunnable && leaving.Time.RunState == RunState.Running)
        {
            RunState.Change(ref leaving, leaving.Schedule.IsUp ? RunState.Blocked : RunState.Offline);
        }

        int next = Pick(current);
        if (next < 0)
        {
            ulong since = SystemTime.Now();
            do
            {
                Cpu.HaltWithInterrupts();
            }
            while ((next = Pick(current)) < 0);
            processor.IdleTime += SystemTime.Now() - since;
        }

        if (next != current)
        {
            if (leaving.Time.RunState == RunState.Running)
            {
                RunState.Change(ref leaving, RunState.Runnable);
            }

            ContextSwitch.Switch(ref leaving, ref VcpuTable.At(next));
        }

        ref Vcpu arriving = ref VcpuTable.At(next);
        arriving.Context.Work &= ~VcpuWork.Reschedule;
        if (arriving.Time.RunState != RunState.Running)
        {
            RunState.Change(ref arriving, RunState.Running);
        }

        RunState.Publish(ref arriving);
        if (HasCompetition(next))
        {
            Timers.SliceEnd = SystemTime.Now() + SliceNanoseconds;
            Timers.Add(Timers.SliceEnd);
        }

        return next;
    }

    private static int Pick(int current)
    {
        int boosted = s_boosted;
        s_boosted = -1;
        if (boosted >= 0 && VcpuTable.At(boosted).Schedule.IsRunnable)
        {
            return boosted;
        }

        for (int step = 1; step <= VcpuCount; step++)
        {
            int index = (current + step) % VcpuCount;
            if (VcpuTable.At(index).Schedule.IsRunnable)
            {
                return index;
            }
        }

        return -1;
    }

    private static bool HasCompetition(int current)
    {
        for (int index = 0; index < VcpuCount; index++)
        {
            if (index != current && VcpuTable.At(index).Schedule.IsRunnable)
            {
                return true;
            }
        }

        return false;
    }

    private static void EndPolling(ref Vcpu vcpu)
    {
        vcpu.Events.IsPolling = false;
        vcpu.Time.PollTimeout = 0;
    }
}
