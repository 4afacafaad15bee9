// What the hypervisor keeps for each physical processor.
using Xenolith.Abi;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>State of one physical processor. All of it belongs to the core's lock, but <see cref="Requests"/> and <see cref="LockDebt"/>.</summary>
public struct Processor
{
    /// <summary>Id of its local APIC.</summary>
    public uint ApicId;

    /// <summary>Id by which ACPI knows it.</summary>
    public uint AcpiId;

    /// <summary>Index of the vcpu whose state is loaded, or -1. It may be waiting meanwhile: an idle processor keeps the state.</summary>
    public int CurrentVcpu;

    /// <summary>Domain of the loaded vcpu, or DOMID_INVALID.</summary>
    public ushort LoadedDomain;

    /// <summary>It halts, or is about to: nothing runs on it.</summary>
    public bool IsIdle;

    /// <summary>Vcpu for which it was woken, plus one; 0 = for none.</summary>
    internal int SentFor;

    /// <summary>Nanoseconds in which no vcpu wanted to run.</summary>
    public ulong IdleTime;

    /// <summary>A complete TLB flush is due before the guest runs or its memory is written.</summary>
    public bool NeedsFlush;

    /// <summary>Value of the flush clock after this processor's last complete flush.</summary>
    public uint FlushedAt;

    /// <summary>End of the running vcpu's slice, or 0.</summary>
    public ulong SliceEnd;

    /// <summary>The deadline its timer waits for.</summary>
    public ulong ProgrammedDeadline;

    /// <summary>The timers that it watches, a tree by deadline.</summary>
    internal int TimerRoot;

    /// <summary>Since when it is idle, in nanoseconds since boot.</summary>
    public ulong IdleSince;

    /// <summary>For how many TSC ticks it leaves the core's lock to others, because it has kept them waiting (<see cref="HypervisorLock"/>).</summary>
    public ulong LockDebt;

    /// <summary>What another processor, which holds the core's lock, waits for: bits of <see cref="RemoteRequests"/>.</summary>
    public int Requests;

    /// <summary>State of a processor that has loaded nothing yet.</summary>
    internal static Processor New(uint apicId, uint acpiId) => new()
    {
        ApicId = apicId,
        AcpiId = acpiId,
        CurrentVcpu = -1,
        LoadedDomain = DomainIds.Invalid,
        ProgrammedDeadline = ulong.MaxValue,
    };
}
