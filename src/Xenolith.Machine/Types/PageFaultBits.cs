// Bits of a page fault's error code.
namespace Xenolith.Machine;

/// <summary>Error code of #PF (Intel SDM vol. 3, "Page-Fault Exception").</summary>
public static class PageFaultBits
{
    public const uint Present = 1 << 0;
    public const uint Write = 1 << 1;
    public const uint User = 1 << 2;
    public const uint Reserved = 1 << 3;
    public const uint InstructionFetch = 1 << 4;
    public const uint ProtectionKey = 1 << 5;
}
