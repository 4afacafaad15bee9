// Bits of CR0.
namespace Xenolith.Machine;

/// <summary>CR0 (Intel SDM vol. 3, "Control Registers").</summary>
public static class Cr0Bits
{
    public const ulong ProtectionEnable = 1 << 0;
    public const ulong MonitorCoprocessor = 1 << 1;
    public const ulong Emulation = 1 << 2;
    public const ulong TaskSwitched = 1 << 3;
    public const ulong ExtensionType = 1 << 4;
    public const ulong NumericError = 1 << 5;
    public const ulong WriteProtect = 1 << 16;
    public const ulong AlignmentMask = 1 << 18;
    public const ulong Paging = 1UL << 31;
}
