// Model-specific registers.
namespace Xenolith.Machine;

/// <summary>Access to MSRs. Which of them may be written, and with what, is for the caller in this assembly; others read or try.</summary>
public static unsafe class Msrs
{
    /// <summary>Reads an MSR that every 64-bit processor has.</summary>
    public static ulong Read(Msr msr) => TryRead((uint)msr, out ulong value) ? value : 0;

    /// <summary>Writes an MSR; a refusal of the processor is ignored.</summary>
    public static void Write(Msr msr, ulong value) => TryWrite((uint)msr, value);

    /// <summary>False when the processor refuses with #GP.</summary>
    public static bool TryRead(uint msr, out ulong value)
    {
        ulong read = 0;

        // SAFETY: the routine writes one word of the local and survives #GP.
        bool done = Native.TryReadMsr(msr, &read);
        value = read;
        return done;
    }

    /// <summary>False when the processor refuses with #GP.</summary>
    public static bool TryWrite(uint msr, ulong value) => Native.TryWriteMsr(msr, value);
}
