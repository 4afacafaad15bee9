// What the hypervisor keeps for each physical processor.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>State of one physical processor; written only by that processor.</summary>
public struct Processor
{
    /// <summary>Index of the vcpu whose state is loaded, or -1.</summary>
    public int CurrentVcpu;

    /// <summary>The scheduler has to choose anew before the next return to a guest.</summary>
    public bool NeedReschedule;

    /// <summary>Nanoseconds in which no vcpu wanted to run.</summary>
    public ulong IdleTime;

    /// <summary>A complete TLB flush is due before the guest runs or its memory is written.</summary>
    public bool NeedsFlush;
}
