// What the daemon tells of a domain.
namespace Xenolith.Toolstack.Daemon;

/// <summary>How a domain is doing.</summary>
public enum DomainState
{
    /// <summary>It is being made.</summary>
    Building,

    /// <summary>A vcpu is on a processor or waits for one.</summary>
    Running,

    /// <summary>All its vcpus wait for events.</summary>
    Blocked,

    /// <summary>Domain 0 keeps it from running.</summary>
    Paused,

    /// <summary>It has ended and keeps its memory.</summary>
    Shutdown,

    /// <summary>It has crashed and keeps its memory.</summary>
    Crashed,

    /// <summary>It is being taken apart.</summary>
    Dying,
}

/// <summary>A domain, at one moment.</summary>
/// <param name="Uuid">Its own for ever.</param>
/// <param name="Id">The hypervisor's number for it, null while it is being made; a domain that is started again has another.</param>
/// <param name="Name">Unique among the domains that there are.</param>
/// <param name="State">How it is doing.</param>
/// <param name="MemoryKiB">What it has.</param>
/// <param name="MaximumMemoryKiB">What it may have at most.</param>
/// <param name="Vcpus">Virtual processors that are on.</param>
/// <param name="CpuNanoseconds">Processor time it has had.</param>
public sealed record DomainView(Guid Uuid, int? Id, string Name, DomainState State, long MemoryKiB, long MaximumMemoryKiB, int Vcpus, long CpuNanoseconds);
