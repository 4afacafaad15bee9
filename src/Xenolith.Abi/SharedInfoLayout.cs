// Offsets within the page that a domain and the hypervisor share.
namespace Xenolith.Abi;

/// <summary>Byte offsets of struct shared_info (public xen.h).</summary>
public static class SharedInfoLayout
{
    public const int VcpuInfoBytes = 64;
    public const int VcpuInfoCount = 32;
    public const int EventPending = 0x800;
    public const int EventMask = 0xA00;
    public const int WallClockVersion = 0xC00;
    public const int WallClockSeconds = 0xC04;
    public const int WallClockNanoseconds = 0xC08;
    public const int WallClockSecondsHigh = 0xC0C;
    public const int ArchMaximumPfn = 0xC10;
}
