// Floating point and vector state of the guests.
namespace Xenolith.Machine;

/// <summary>
/// Eager switching: one area per vcpu, a whole frame, saved and restored complete. The hypervisor itself touches only the XMM
/// registers that the entry path keeps in the context, so a state that was saved there is loaded before SAVE is called.
/// </summary>
public static unsafe class Fpu
{
    private const int LegacyBytes = 512;
    private const int Xmm0 = 160;
    private const int Xmm1 = 176;
    private const int Xmm8 = 288;

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

    /// <summary>
    /// Completes an area that has been saved: the vector registers that the entry path keeps in the context are put where they belong.
    /// </summary>
    public static void StoreKept(Mfn area, in KeptVectors kept)
    {
        PhysicalMemory.At<ulong>(area, Xmm0) = kept.Xmm0Low;
        PhysicalMemory.At<ulong>(area, Xmm0 + 8) = kept.Xmm0High;
        PhysicalMemory.At<ulong>(area, Xmm1) = kept.Xmm1Low;
        PhysicalMemory.At<ulong>(area, Xmm1 + 8) = kept.Xmm1High;
        PhysicalMemory.At<ulong>(area, Xmm8) = kept.Xmm8Low;
        PhysicalMemory.At<ulong>(area, Xmm8 + 8) = kept.Xmm8High;
        if (CpuFeatures.HasXsave)
        {
            PhysicalMemory.At<ulong>(area, LegacyBytes) |= 3;
        }
    }

    /// <summary>The other way: an area that somebody has filled gives the context its part.</summary>
    public static KeptVectors LoadKept(Mfn area) => new()
    {
        Xmm0Low = PhysicalMemory.At<ulong>(area, Xmm0),
        Xmm0High = PhysicalMemory.At<ulong>(area, Xmm0 + 8),
        Xmm1Low = PhysicalMemory.At<ulong>(area, Xmm1),
        Xmm1High = PhysicalMemory.At<ulong>(area, Xmm1 + 8),
        Xmm8Low = PhysicalMemory.At<ulong>(area, Xmm8),
        Xmm8High = PhysicalMemory.At<ulong>(area, Xmm8 + 8),
    };

    /// <summary>
    /// Looks over an area that was filled from outside. False: it has what guests may not have, or another form; it is then as after <see cref="Initialize"/>. What else the processor may refuse shows when it is loaded.
    /// </summary>
    public static bool TryFinishFilled(Mfn area)
    {
        const int HeaderBytes = 64;
        if (!CpuFeatures.HasXsave)
        {
            return true;
        }

        bool isStandard = (PhysicalMemory.At<ulong>(area, LegacyBytes) & ~CpuFeatures.XsaveMask) == 0;
        for (int offset = 8; offset < HeaderBytes; offset += 8)
        {
            isStandard &= PhysicalMemory.At<ulong>(area, LegacyBytes + offset) == 0;
        }

        if (!isStandard)
        {
            Initialize(area);
        }

        return isStandard;
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
