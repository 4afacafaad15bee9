// Twin: the image of a hypervisor that has none.
namespace Xenolith.Machine;

/// <summary>Two frames below those that the machine gives out.</summary>
public static class Image
{
    public static Mfn Start => new(128);

    public static ulong Frames => 2;
}
