// The timers and the accounts of a vcpu.
namespace Xenolith.Hypervisor.Time;

/// <summary>All times in nanoseconds since boot; 0 = not set.</summary>
public struct VcpuTime
{
    public ulong SingleShot;
    public ulong PeriodicInterval;
    public ulong PeriodicNext;
    public ulong PollTimeout;

    /// <summary>The processor whose timer serves the deadlines above.</summary>
    public int WatchedBy;

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
