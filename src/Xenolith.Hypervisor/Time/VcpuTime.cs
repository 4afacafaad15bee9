// The timers and the accounts of a vcpu.
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.Hypervisor.Time;

/// <summary>All times in nanoseconds since boot; 0 = not set.</summary>
public struct VcpuTime
{
    public ulong SingleShot;
    public ulong PeriodicInterval;
    public ulong PeriodicNext;
    public ulong PollTimeout;

    /// <summary>On vcpu 0 of a domain: the first of the deadlines that are the domain's (<see cref="DomainTimers"/>).</summary>
    public ulong DomainDeadline;

    /// <summary>The processor whose timer serves the deadlines above.</summary>
    public int WatchedBy;

    /// <summary>Its place among the timers of that processor, by the first of its deadlines.</summary>
    internal TreeNode Node;

    /// <summary>Guest virtual address of its runstate area, 0 = none.</summary>
    public ulong RunstateArea;

    /// <summary>Guest virtual address of its extra time area, 0 = none.</summary>
    public ulong TimeArea;

    public int RunState;
    public ulong RunStateEntered;
    public ulong Running;
    public ulong Runnable;
    public ulong Blocked;
    public ulong Offline;
}
