// The life of a domain.
namespace Xenolith.Hypervisor.Domains;

/// <summary>States of a domain slot, in the order of its life.</summary>
public enum DomainState : byte
{
    Free,
    Building,
    Running,

    /// <summary>Shut down by itself, with a reason; its memory is still there.</summary>
    Shutdown,

    /// <summary>Ended by its own mistake; a report has been printed.</summary>
    Crashed,

    /// <summary>Being destroyed.</summary>
    Dying,

    /// <summary>Destroyed, but others still refer to frames or grants of it.</summary>
    Dead,
}
