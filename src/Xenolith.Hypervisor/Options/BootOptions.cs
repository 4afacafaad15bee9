// The options of the hypervisor's command line.
namespace Xenolith.Hypervisor.Options;

/// <summary>What the options ask for; the values here are the defaults.</summary>
internal static class BootOptions
{
    /// <summary>Halt instead of reset after a panic or a crash of Domain 0.</summary>
    internal static bool NoReboot { get; set; }

    internal static bool AllowSmep { get; set; } = true;

    internal static bool AllowSmap { get; set; } = true;

    /// <summary>Ports and rate of the serial console; base 0 = none.</summary>
    internal static ushort SerialBase { get; set; } = 0x3F8;

    internal static uint SerialRate { get; set; } = 115_200;

    internal static MemorySize Domain0Memory { get; set; }

    internal static MemorySize Domain0MinimumMemory { get; set; }

    internal static MemorySize Domain0MaximumMemory { get; set; }

    /// <summary>Vcpus of Domain 0; 0 = as many as there are processors.</summary>
    internal static uint Domain0Vcpus { get; set; }

    /// <summary>Most processors to use; 0 = all.</summary>
    internal static uint MaximumProcessors { get; set; }

    /// <summary>How much the hypervisor says: 0 errors only to 4 everything.</summary>
    internal static int LogLevel { get; set; } = 3;

    internal static int GuestLogLevel { get; set; } = 3;
}
