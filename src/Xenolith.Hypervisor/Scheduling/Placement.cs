// Finding a processor for a vcpu.
using System.Numerics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// An idle processor takes the vcpu. Where there is none, the vcpu goes before the one that has had the most, if it has had less; else
/// that one's slice is made to end.
/// </summary>
internal static class Placement
{
    /// <summary>A vcpu keeps its processor unless another is behind by more than this, in virtual nanoseconds.</summary>
    internal const ulong GranularityNanoseconds = 500_000;

    private const ulong PreferenceNanoseconds = 2_000_000;

    // Processors that are idle and to which nobody has been sent since.
    private static ulong s_idle;

    // Processors that run a vcpu for as long as it likes, because nobody waited when it began.
    private static ulong s_sliceless;

    internal static void Clear()
    {
        s_idle = 0;
        s_sliceless = 0;
    }

    /// <summary>The processor has found nothing to run.</summary>
    internal static void BeginIdle(int processor)
    {
        s_idle |= 1UL << processor;
        s_sliceless &= ~(1UL << processor);
    }

    internal static void EndIdle(int processor) => s_idle &= ~(1UL << processor);

    /// <summary>Says whether the processor's vcpu runs for a slice, or for as long as it likes.</summary>
    internal static void NoteSlice(int processor, bool hasSlice)
    {
        ulong bit = 1UL << processor;
        s_sliceless = hasSlice ? s_sliceless & ~bit : s_sliceless | bit;
    }

    /// <summary>Queues a vcpu that has begun to want a processor.</summary>
    internal static void Enter(ref Vcpu vcpu, ulong now)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        if ((s_idle & schedule.Allowed) != 0)
        {
            RunQueue.Add(ref vcpu);
            WakeIdle(ref vcpu);
            return;
        }

        int victim = FindVictim(ref schedule, now, out ulong most);
        if (victim < 0)
        {
            RunQueue.Add(ref vcpu);
            return;
        }

        Align(ref schedule, victim, most);
        RunQueue.Add(ref vcpu);
        bool isTold = (s_sliceless & (1UL << victim)) != 0;
        EndSlices(schedule.Allowed);
        if (!isTold && schedule.VirtualTime + GranularityNanoseconds < most)
        {
            Reschedule(victim);
        }
    }

    /// <summary>
    /// A processor that was sent for has chosen another than the vcpu it was sent for, which may be one that only it may run: that vcpu
    /// goes to the next.
    /// </summary>
    internal static void SendOn(ref Vcpu vcpu)
    {
        if (vcpu.Schedule.Node.IsLinked && (s_idle & vcpu.Schedule.Allowed) != 0)
        {
            WakeIdle(ref vcpu);
        }
    }

    /// <summary>Queues a vcpu that has had to give its processor to another.</summary>
    internal static void Return(ref Vcpu vcpu, ulong now)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        if ((schedule.Allowed & (1UL << Cpu.Index)) == 0)
        {
            Enter(ref vcpu, now);
            return;
        }

        RunQueue.Add(ref vcpu);
        if ((s_idle & schedule.Allowed) != 0)
        {
            WakeIdle(ref vcpu);
        }
        else
        {
            EndSlices(schedule.Allowed & ~(1UL << Cpu.Index));
        }
    }

    /// <summary>Has the processor that runs a vcpu choose anew.</summary>
    internal static void Reschedule(int processor)
    {
        VcpuTable.Context(ProcessorTable.At(processor).CurrentVcpu).Work |= VcpuWork.Reschedule;
        Interrupt(processor);
    }

    internal static void Interrupt(int processor)
    {
        if (processor != Cpu.Index)
        {
            LocalApic.SendInterrupt(ProcessorTable.At(processor).ApicId, Vectors.Kick);
        }
    }

    /// <summary>Somebody waits for these processors now: their vcpus get slices.</summary>
    private static void EndSlices(ulong processors)
    {
        for (ulong rest = s_sliceless & processors; rest != 0; rest &= rest - 1)
        {
            Reschedule(BitOperations.TrailingZeroCount(rest));
        }
    }

    /// <summary>Best the processor that has the state, then one that the vcpu prefers.</summary>
    private static void WakeIdle(ref Vcpu vcpu)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        ulong idle = s_idle & schedule.Allowed;
        ulong preferred = idle & schedule.Preferred;
        idle = preferred != 0 ? preferred : idle;
        int processor = schedule.LoadedOn;
        if (processor < 0 || (idle & (1UL << processor)) == 0)
        {
            processor = BitOperations.TrailingZeroCount(idle);
        }

        EndIdle(processor);
        ProcessorTable.At(processor).SentFor = vcpu.Index + 1;
        Interrupt(processor);
    }

    /// <summary>The processor whose vcpu has had the most of all that are in the way, and how much that is; -1 when none is.</summary>
    private static int FindVictim(ref VcpuSchedule schedule, ulong now, out ulong most)
    {
        int victim = -1;
        ulong best = 0;
        most = 0;
        for (ulong rest = schedule.Allowed; rest != 0; rest &= rest - 1)
        {
            int index = BitOperations.TrailingZeroCount(rest);
            int current = ProcessorTable.At(index).CurrentVcpu;
            if (current < 0)
            {
                continue;
            }

            ref VcpuSchedule running = ref VcpuTable.At(current).Schedule;
            if (running.RunsOn != index)
            {
                continue;
            }

            ulong time = running.VirtualTime + running.Scale(now - running.AccountedAt);
            ulong score = time + (((schedule.Preferred >> index) & 1) * PreferenceNanoseconds);
            if (victim < 0 || score > best)
            {
                victim = index;
                best = score;
                most = time;
            }
        }

        return victim;
    }

    /// <summary>Brings the vcpu's virtual time near that of those with which it has to share.</summary>
    private static void Align(ref VcpuSchedule schedule, int victim, ulong most)
    {
        int first = RunQueue.First(1UL << victim);
        ulong least = first < 0 ? most : Math.Min(most, VcpuTable.At(first).Schedule.VirtualTime);
        ulong earliest = least - Math.Min(least, Scheduler.WakeBonusNanoseconds);
        schedule.VirtualTime = Math.Min(Math.Max(schedule.VirtualTime, earliest), least + schedule.LargestLead);
    }
}
