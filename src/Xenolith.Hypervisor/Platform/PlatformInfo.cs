// What was found out about the machine at boot.
namespace Xenolith.Hypervisor.Platform;

/// <summary>Addresses of devices that the hypervisor keeps; 0 = the machine has none.</summary>
internal static class PlatformInfo
{
    internal static bool HasFadt { get; set; }

    internal static ushort PmTimerPort { get; set; }

    internal static bool PmTimerIsWide { get; set; }

    internal static ulong HpetAddress { get; set; }

    /// <summary>PCI configuration space in memory (MCFG), of segment 0.</summary>
    internal static ulong EcamAddress { get; set; }

    internal static byte EcamFirstBus { get; set; }

    internal static byte EcamLastBus { get; set; }
}
