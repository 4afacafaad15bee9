// What a vcpu has caused.
namespace Xenolith.Hypervisor.Domains;

/// <summary>Counted on the processor that runs the vcpu, for the toolstack to show; page faults, which have a quick path, in its context.</summary>
public struct VcpuCounters
{
    /// <summary>Hypercalls, continued ones as often as they are entered; a multicall is one. Irets from the kernel's quick path are not counted.</summary>
    public ulong Hypercalls;

    /// <summary>Entries into its event callback.</summary>
    public ulong Upcalls;
}
