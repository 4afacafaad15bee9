// Bits of CR4.
namespace Xenolith.Machine;

/// <summary>CR4 (Intel SDM vol. 3, "Control Registers").</summary>
public static class Cr4Bits
{
    public const ulong TimeStampDisable = 1 << 2;
    public const ulong DebuggingExtensions = 1 << 3;
    public const ulong PhysicalAddressExtension = 1 << 5;
    public const ulong MachineCheckEnable = 1 << 6;
    public const ulong PageGlobalEnable = 1 << 7;
    public const ulong PerformanceCounterEnable = 1 << 8;
    public const ulong OsFxsr = 1 << 9;
    public const ulong OsXmmExcept = 1 << 10;
    public const ulong UserModeInstructionPrevention = 1 << 11;
    public const ulong FsGsBase = 1 << 16;
    public const ulong ProcessContextIdentifiers = 1 << 17;
    public const ulong OsXsave = 1 << 18;
    public const ulong SupervisorExecutionPrevention = 1 << 20;
    public const ulong SupervisorAccessPrevention = 1 << 21;
}
