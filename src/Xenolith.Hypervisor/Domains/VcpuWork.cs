// Why a vcpu may not return to its guest straight away.
namespace Xenolith.Hypervisor.Domains;

/// <summary>Bits of <c>VcpuContext.Work</c>; any set bit sends the exit path through ReturnToGuest.</summary>
public static class VcpuWork
{
    /// <summary>The scheduler wants the processor.</summary>
    public const uint Reschedule = 1 << 0;

    /// <summary>An exception waits to be bounced to the guest.</summary>
    public const uint Exception = 1 << 1;

    /// <summary>An NMI waits for the guest, or one is being handled, so that the next iret hypercall must unmask.</summary>
    public const uint Nmi = 1 << 2;

    /// <summary>The runstate area could not be written in user mode: retry at the next entry to kernel mode.</summary>
    public const uint Runstate = 1 << 3;

    /// <summary>The domain is crashed, shut down or paused: never return to this guest.</summary>
    public const uint Stop = 1 << 4;

    /// <summary>The guest executes one instruction, then its event is delivered.</summary>
    public const uint Step = 1 << 6;

    /// <summary>Virtual CR0.TS is set: the exit path has to set the processor's.</summary>
    public const uint TaskSwitched = 1 << 5;
}
