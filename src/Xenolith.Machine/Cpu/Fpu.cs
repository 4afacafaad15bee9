// Floating point and vector state of the guests.
namespace Xenolith.Machine;

/// <summary>
/// Eager switching: one area per vcpu, a whole frame, saved and restored complete. The hypervisor itself touches only the XMM
/// registers that the entry path keeps in the context, so a state that was saved there is loaded before SAVE is called.
/// </summary>
public static unsafe class Fpu
{
    private const int LegacyBytes = 512;

    private static ProcessorValues s_xcr0;

    /// <summary>XCR0 as loaded on this processor; 0 without XSAVE.</summary>
    public static ulong Xcr0 => ProcessorValues.Current(ref s_xcr0);

    /// <summary>Bytes of an area; never more than a frame.</summary>
    public static int AreaBytes => CpuFeatures.HasXsave ? (int)CpuId.Query(0xD).Ecx : LegacyBytes;

    /// <summary>Makes an area hold the state after FNINIT with all exceptions masked.</summary>
    public static void Initialize(Mfn area)
    {
        PhysicalMemory.Clear(area);
        PhysicalMemory.At<ushort>(area, 0) = 0x37F;
        PhysicalMemory.At<uint>(area, 24) = 0x1F80;
        if (CpuFeatures.HasXsave)
        {
            PhysicalMemory.At<ulong>(area, LegacyBytes) = 3;
        }
    }

    /// <summary>Loads XCR0; false when the processor refuses the value.</summary>
    public static bool TrySetXcr0(ulong value)
    {
        ref ulong loaded = ref ProcessorValues.Current(ref s_xcr0);
        if (value == loaded)
        {
            return true;
        }

        if ((value & ~CpuFeatures.XsaveMask) != 0 || !Native.TryXsetbv(value))
        {
            return false;
        }

        loaded = value;
        return true;
    }

    /// <summary>Stores the processor's state into the area.</summary>
    public static void Save(Mfn area)
    {
        // SAFETY: DirectMap gives a whole frame; AreaBytes never exceeds it (checked by Enable).
        byte* at = (byte*)PhysicalMemory.DirectMap(area, 1);
        if (CpuFeatures.HasXsave)
        {
            TrySetXcr0(CpuFeatures.XsaveMask);
            Native.Xsave(at, CpuFeatures.XsaveMask);
        }
        else
        {
            Native.Fxsave(at);
        }
    }

    /// <summary>Loads the processor's state from the area; an area that the processor refuses is reset first.</summary>
    public static void Restore(Mfn area)
    {
        // SAFETY: as in Save.
        byte* at = (byte*)PhysicalMemory.DirectMap(area, 1);
        if (CpuFeatures.HasXsave)
        {
            TrySetXcr0(CpuFeatures.XsaveMask);
            if (!Native.TryXrstor(at, CpuFeatures.XsaveMask))
            {
                Initialize(area);
                Native.TryXrstor(at, CpuFeatures.XsaveMask);
            }
        }
        else if (!Native.TryFxrstor(at))
        {
            Initialize(area);
            Native.TryFxrstor(at);
        }
    }

    /// <summary>Switches XSAVE on at boot and opens all state that guests may use.</summary>
    internal static void Enable()
    {
        if (CpuFeatures.HasXsave)
        {
            TrySetXcr0(CpuFeatures.XsaveMask);
            Fatal.Assert(AreaBytes <= 4096, "the XSAVE area of this processor is larger than a frame"u8);
        }
    }
}
