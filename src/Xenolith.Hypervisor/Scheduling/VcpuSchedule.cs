// Whether a vcpu wants the processor.
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

    public readonly bool IsRunnable => IsUp && !IsBlocked && PauseCount == 0;
}
