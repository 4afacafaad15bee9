// What a vcpu has caused.
namespace Xenolith.Hypervisor.Domains;

/// <summary>Counted on the processor that runs the vcpu, for the toolstack to show.</summary>
public struct VcpuCounters
{
    /// <summary>Hypercalls, continued ones as often as they are entered; a multicall is one. Irets from the kernel's quick path are not counted.</summary>
    public ulong Hypercalls;

    /// <summary>Page faults that its kernel was given.</summary>
    public ulong PageFaults;

    /// <summary>Entries into its event callback.</summary>
    public ulong Upcalls;
}
