// What becomes of a boot-time domain that has ended.
namespace Xenolith.Hypervisor.Domains;

/// <summary>The values of on_poweroff=, on_reboot= and on_crash=.</summary>
public enum EndAction : byte
{
    /// <summary>Its memory is free again.</summary>
    Destroy,

    /// <summary>Destroyed, and made again from its boot modules.</summary>
    Restart,

    /// <summary>Kept as it is, for whoever wants to look.</summary>
    Preserve,
}
