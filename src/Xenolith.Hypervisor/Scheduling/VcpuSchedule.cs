// Whether a vcpu wants a processor, and which it may have.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Scheduling state of a vcpu.</summary>
public struct VcpuSchedule
{
    /// <summary>VCPUOP_up has been done.</summary>
    public bool IsUp;

    /// <summary>Waits for an event.</summary>
    public bool IsBlocked;

    /// <summary>SCHEDOP_pin_override: it stays on its processor until it says otherwise.</summary>
    public bool IsPinned;

    /// <summary>How many reasons there are to keep it from running, whatever it wants.</summary>
    public int PauseCount;

    /// <summary>The processor that runs it, or -1.</summary>
    public int RunsOn;

    /// <summary>The processor that has its state loaded (it need not run), or -1.</summary>
    public int LoadedOn;

    /// <summary>
    /// Processor time it has had, in nanoseconds divided by its share: the runnable vcpu with the least goes first. A vcpu that wakes
    /// does not keep what it did not use.
    /// </summary>
    public ulong VirtualTime;

    /// <summary>When it began to run, or its account was last settled.</summary>
    public ulong AccountedAt;

    public readonly bool IsRunnable => IsUp && !IsBlocked && PauseCount == 0;
}
