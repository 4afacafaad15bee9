// What a frame is used as.
namespace Xenolith.Hypervisor.Memory;

/// <summary>The type of a frame: exactly one at a time, and it changes only while nobody uses the frame by type.</summary>
public enum PageType : uint
{
    None = 0,
    L1 = 1,
    L2 = 2,
    L3 = 3,
    L4 = 4,
    DescriptorTable = 5,
    Writable = 7,
}
