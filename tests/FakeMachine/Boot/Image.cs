// Twin: the image of a hypervisor that has none.
namespace Xenolith.Machine;

/// <summary>Two frames at 2 MiB.</summary>
public static class Image
{
    public static Mfn Start => new(512);

    public static ulong Frames => 2;
}
