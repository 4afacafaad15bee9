// CR0, CR2 and CR4 of this processor.
namespace Xenolith.Machine;

/// <summary>Control registers. CR3 is loaded through <see cref="Tlb"/>.</summary>
public static class ControlRegisters
{
    /// <summary>What of CR4 a guest may choose for the time it runs.</summary>
    public const ulong GuestCr4 = Cr4Bits.TimeStampDisable | Cr4Bits.DebuggingExtensions | Cr4Bits.FsGsBase | Cr4Bits.OsXsave;

    private static ProcessorValues s_cr4;

    public static ulong Cr0 => Native.ReadCr0();

    /// <summary>Address of the last page fault; valid until the next one.</summary>
    public static ulong Cr2 => Native.ReadCr2();

    /// <summary>CR4 as loaded on this processor.</summary>
    public static ulong Cr4 => ProcessorValues.Current(ref s_cr4);

    /// <summary>Loads CR4 if the value differs from what is loaded.</summary>
    internal static void SetCr4(ulong value)
    {
        ref ulong loaded = ref ProcessorValues.Current(ref s_cr4);
        if (value != loaded)
        {
            loaded = value;
            Native.WriteCr4(value);
        }
    }

    /// <summary>Takes TSD and DE from a guest's CR4; the other bits stay the hypervisor's.</summary>
    public static void SetGuestBits(ulong guestCr4)
    {
        const ulong Choice = Cr4Bits.TimeStampDisable | Cr4Bits.DebuggingExtensions;
        SetCr4((Cr4 & ~Choice) | (guestCr4 & Choice));
    }
}
