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

    internal const int LogWarning = 2;

    internal const int LogInformation = 3;

    /// <summary>How much the hypervisor says: 0 nothing but why the machine ends, 1 errors, 2 warnings, 3 information, 4 everything.</summary>
    internal static int LogLevel { get; set; } = LogInformation;

    /// <summary>The same for what guests cause.</summary>
    internal static int GuestLogLevel { get; set; } = LogInformation;
}
