// A virtual processor of a domain.
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>One slot of the vcpu table. What belongs to a vcpu is touched only on the processor that runs it.</summary>
public struct Vcpu
{
    /// <summary>Index in the vcpu table and in the table of contexts.</summary>
    public int Index;

    /// <summary>Id within the domain.</summary>
    public int Id;

    public ushort DomainId;

    /// <summary>VCPUOP_initialise (or the builder) has given it a context.</summary>
    public bool IsInitialized;

    /// <summary>Frame of the XSAVE area.</summary>
    public Mfn FpuArea;

    public VcpuMemory Memory;

    public VcpuTraps Traps;

    public VcpuEvents Events;

    public VcpuTime Time;

    public VcpuSchedule Schedule;

    public VcpuCounters Counters;

    /// <summary>What the entry path knows of this vcpu: registers, roots, mode.</summary>
    public readonly ref VcpuContext Context => ref VcpuTable.Context(Index);

    public readonly ref Domain Domain => ref DomainTable.At(DomainId);
}
