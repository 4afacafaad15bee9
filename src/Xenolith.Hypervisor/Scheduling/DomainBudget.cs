// Holding a domain to its cap.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// A domain with a cap gets its processor time by the period. When it is used up, its vcpus leave the queue and the processors until
/// the next filling; what they have had beyond it is taken off that one, so that the cap holds exactly over several periods.
/// </summary>
internal static class DomainBudget
{
    internal const ulong PeriodNanoseconds = 10_000_000;

    private const ulong ShortestSlice = 100_000;
    private const long LongestGap = 1_000_000;

    /// <summary>Takes what a vcpu has used; parks the domain when that was the last of it.</summary>
    internal static void Charge(ref Domain domain, ulong nanoseconds, ulong now)
    {
        domain.Schedule.Budget -= (long)nanoseconds;
        Refill(ref domain.Schedule, now);
        if (domain.Schedule.Budget <= 0 && !domain.Schedule.IsParked)
        {
            Park(ref domain);
        }
    }

    /// <summary>How long one of the domain's running vcpus may run before it has to be charged.</summary>
    internal static ulong Slice(ref Domain domain)
    {
        ulong running = 1;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            running += VcpuTable.At(domain.VcpuIndex(id)).Schedule.RunsOn >= 0 ? 1UL : 0;
        }

        return Math.Max((ulong)domain.Schedule.Budget / running, ShortestSlice);
    }

    /// <summary>The cap of the domain is another from now on.</summary>
    internal static void Restart(ref Domain domain, ulong now)
    {
        ref DomainSchedule schedule = ref domain.Schedule;
        schedule.Budget = (long)Filling(ref schedule);
        schedule.RefilledAt = now + PeriodNanoseconds;
        schedule.ResumesAt = now;
        if (schedule.IsParked)
        {
            Resume(ref domain, now);
        }
    }

    /// <summary>A parked domain goes on when its time has come.</summary>
    internal static void Resume(ref Domain domain, ulong now)
    {
        ref DomainSchedule schedule = ref domain.Schedule;
        if (!schedule.IsParked || schedule.ResumesAt > now)
        {
            return;
        }

        schedule.IsParked = false;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            Scheduler.Resume(ref VcpuTable.At(domain.VcpuIndex(id)), now);
        }
    }

    private static ulong Filling(ref DomainSchedule schedule) => schedule.Cap * PeriodNanoseconds / 100;

    private static void Refill(ref DomainSchedule schedule, ulong now)
    {
        if (now < schedule.RefilledAt)
        {
            return;
        }

        ulong periods = ((now - schedule.RefilledAt) / PeriodNanoseconds) + 1;
        schedule.RefilledAt += periods * PeriodNanoseconds;
        long filling = (long)Filling(ref schedule);
        long budget = schedule.Budget + ((long)Math.Min(periods, (ulong)LongestGap) * filling);

        // One filling may be kept: vcpus that run now have had some of the last one and are not charged for it yet.
        schedule.Budget = budget < 2 * filling ? budget : 2 * filling;
    }

    private static void Park(ref Domain domain)
    {
        ref DomainSchedule schedule = ref domain.Schedule;
        ulong filling = Filling(ref schedule);
        ulong fillings = ((ulong)-schedule.Budget / filling) + 1;
        schedule.IsParked = true;
        schedule.ResumesAt = schedule.RefilledAt + ((fillings - 1) * PeriodNanoseconds);
        DomainTimers.Update(ref domain);
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            Scheduler.Park(ref VcpuTable.At(domain.VcpuIndex(id)));
        }
    }
}
