// What the toolstack may ask and set of the scheduler.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>The parameters of the public interface's credit2 scheduler (public domctl.h and sysctl.h): weight, cap, affinity, rate limit.</summary>
internal static class SchedulerParameters
{
    /// <summary>XEN_SCHEDULER_CREDIT2.</summary>
    internal const uint Id = 6;

    /// <summary>Microseconds.</summary>
    internal const uint DefaultRateLimit = 1000;

    /// <summary>Most that a weight can be; the least is 1.</summary>
    internal const uint LargestWeight = 65_535;

    /// <summary>Per cent of one processor: all that a domain can use.</summary>
    internal const uint LargestCap = Domain.MaximumVcpus * 100;

    private const uint ShortestRateLimit = 100;
    private const uint LongestRateLimit = 500_000;

    internal static ReadOnlySpan<byte> Name => "credit2"u8;

    /// <summary>For how many microseconds a vcpu keeps a processor that it has just been given.</summary>
    internal static uint RateLimit => (uint)(Scheduler.RateLimitNanoseconds / 1000);

    /// <summary>Sets the rate limit: 100 to 500000 microseconds, or 0 for none. Error: Invalid.</summary>
    internal static XenError TrySetRateLimit(uint microseconds)
    {
        if (microseconds != 0 && microseconds is < ShortestRateLimit or > LongestRateLimit)
        {
            return XenError.Invalid;
        }

        Scheduler.RateLimitNanoseconds = microseconds * 1000UL;
        return XenError.None;
    }

    /// <summary>
    /// Sets a domain's weight (1 to 65535; 0 = leave it) and its cap (per cent of one processor; 0 = none; more than its vcpus could
    /// use counts as what they could). Error: Invalid (weight).
    /// </summary>
    internal static XenError TrySet(ref Domain domain, uint weight, uint cap)
    {
        if (weight > LargestWeight)
        {
            return XenError.Invalid;
        }

        ref DomainSchedule schedule = ref domain.Schedule;
        schedule.Weight = weight == 0 ? schedule.Weight : weight;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            // What has been used so far is still charged by the old rules.
            Scheduler.SetShare(ref VcpuTable.At(domain.VcpuIndex(id)), schedule.Weight, cap != 0);
        }

        schedule.Cap = Math.Min(cap, LargestCap);
        DomainBudget.Restart(ref domain, SystemTime.Now());
        return XenError.None;
    }

    /// <summary>
    /// Says which processors the vcpu may use, a bit for each; <paramref name="effective"/> are those of them that exist. Errors:
    /// Invalid (none exists), Busy (the vcpu has pinned itself to another).
    /// </summary>
    internal static XenError TrySetHardAffinity(ref Vcpu vcpu, ulong processors, out ulong effective)
    {
        effective = processors & ProcessorTable.Online;
        if (effective == 0)
        {
            return XenError.Invalid;
        }

        if (vcpu.Schedule.IsPinned && ((effective >> vcpu.Schedule.PinnedTo) & 1) == 0)
        {
            return XenError.Busy;
        }

        Scheduler.SetAffinity(ref vcpu, processors, vcpu.Schedule.SoftAffinity);
        return XenError.None;
    }

    /// <summary>
    /// Says on which processors the vcpu had better run; <paramref name="effective"/> are those of them that it may use. Where that is
    /// none it has no preference.
    /// </summary>
    internal static void SetSoftAffinity(ref Vcpu vcpu, ulong processors, out ulong effective)
    {
        effective = processors & vcpu.Schedule.HardAffinity & ProcessorTable.Online;
        Scheduler.SetAffinity(ref vcpu, vcpu.Schedule.HardAffinity, processors);
    }

    /// <summary>SCHEDOP_pin_override: keeps the vcpu on one processor until it is released. Errors: Invalid (not there, or not allowed), Busy (pinned already).</summary>
    internal static XenError TryPin(ref Vcpu vcpu, int processor)
    {
        if ((uint)processor >= (uint)ProcessorTable.Count || ((vcpu.Schedule.HardAffinity >> processor) & 1) == 0)
        {
            return XenError.Invalid;
        }

        if (vcpu.Schedule.IsPinned)
        {
            return XenError.Busy;
        }

        Scheduler.SetPin(ref vcpu, true, processor);
        return XenError.None;
    }

    /// <summary>Ends <see cref="TryPin"/>. Error: Invalid (it is not pinned).</summary>
    internal static XenError TryUnpin(ref Vcpu vcpu)
    {
        if (!vcpu.Schedule.IsPinned)
        {
            return XenError.Invalid;
        }

        Scheduler.SetPin(ref vcpu, false, 0);
        return XenError.None;
    }
}
