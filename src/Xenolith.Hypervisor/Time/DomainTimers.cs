// What a domain as a whole waits for.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.Hypervisor.Time;

/// <summary>Watchdogs, and the next budget of a domain that has used its up. Its vcpu 0 carries the deadline among its own.</summary>
internal static class DomainTimers
{
    /// <summary>One of the deadlines has been set, has ended, or is another.</summary>
    internal static void Update(ref Domain domain)
    {
        int index = domain.VcpuIndex(0);
        if (index < 0)
        {
            return;
        }

        ulong next = Watchdogs.Next(ref domain);
        next = domain.Schedule.IsParked ? Math.Min(next, domain.Schedule.ResumesAt) : next;
        ref Vcpu carrier = ref VcpuTable.At(index);
        carrier.Time.DomainDeadline = next == ulong.MaxValue ? 0 : next;
        Timers.Update(ref carrier);
    }

    /// <summary>Does what is due.</summary>
    internal static void Serve(ref Domain domain, ulong now)
    {
        Watchdogs.Serve(ref domain, now);
        DomainBudget.Resume(ref domain, now);
        Update(ref domain);
    }
}
