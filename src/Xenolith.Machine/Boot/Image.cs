// Where the hypervisor itself lies.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>The frames of the hypervisor's image, from its first byte to the end of its zeroed data.</summary>
public static unsafe class Image
{
    private const ulong VirtualBase = 0xFFFF_82D0_8000_0000;
    private const ulong LoadAddress = 0x20_0000;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "image_end")] private static extern void EndSymbol();

    public static Mfn Start => new(LoadAddress >> 12);

    /// <summary>Number of frames. SAFETY: the symbol's address is only read as a number.</summary>
    public static ulong Frames => ((((ulong)(delegate*<void>)&EndSymbol) - VirtualBase + 4095) >> 12) - Start.Value;
}
