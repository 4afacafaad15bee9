// The part of every address space that is not the guest's.
namespace Xenolith.Abi;

/// <summary>HYPERVISOR_VIRT_START and _END (public arch-x86/xen-x86_64.h): slots 256 to 271 of the root table.</summary>
public static class HypervisorRange
{
    public const ulong Start = 0xFFFF_8000_0000_0000;
    public const ulong End = 0xFFFF_8800_0000_0000;
}
