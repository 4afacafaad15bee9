// Segment selectors of the interface.
namespace Xenolith.Abi;

/// <summary>Flat selectors of the reserved part of the GDT (public arch-x86/xen-x86_64.h).</summary>
public static class Selectors
{
    public const ushort FlatCode32 = 0xE023;
    public const ushort FlatData = 0xE02B;
    public const ushort FlatCode64 = 0xE033;

    /// <summary>First selector of the reserved part.</summary>
    public const ushort FirstReserved = 0xE000;
}
