// Which boot module a domain comes from, and what becomes of it at its end.
using Xenolith.Abi;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Of a boot-time domain; all zero for others, whose end is their toolstack's business.</summary>
public struct BootOrigin
{
    /// <summary>The hypervisor has made the domain and looks after it.</summary>
    internal bool Exists;

    /// <summary>Number of the request, and of the domain among those of the request, from 1 on; 0 when it is the only one.</summary>
    internal int Request;
    internal int Number;

    /// <summary>Nanoseconds since boot.</summary>
    internal ulong StartedAt;

    internal EndAction OnPowerOff;
    internal EndAction OnReboot;
    internal EndAction OnCrash;

    /// <summary>A watchdog's end counts as a crash; a suspended domain cannot be resumed without a toolstack and has powered off.</summary>
    internal readonly EndAction ActionFor(ShutdownReason reason) => reason switch
    {
        ShutdownReason.Reboot => OnReboot,
        ShutdownReason.PowerOff or ShutdownReason.Suspend => OnPowerOff,
        _ => OnCrash,
    };
}
