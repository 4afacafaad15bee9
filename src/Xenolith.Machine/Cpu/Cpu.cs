// The processor that executes this code.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Xenolith.Machine;

/// <summary>Which processor this is, and how it waits.</summary>
public static unsafe class Cpu
{
    /// <summary>Index of this processor, 0 for the boot processor. It stands at the top of the processor's stack.</summary>
    public static int Index
    {
        [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            byte probe;

            // SAFETY: every stack is ProcessorStackBytes long and aligned to its length; its last 64 bytes hold the index.
            return *(int*)(((nuint)(&probe) | (AsmOffsets.ProcessorStackBytes - 1)) - 63);
        }
    }

    /// <summary>The instruction for a spinning wait.</summary>
    public static void Pause() => X86Base.Pause();

    /// <summary>Halts until an interrupt comes, and takes it. The only place where interrupts are on in the hypervisor.</summary>
    public static void HaltWithInterrupts() => Native.Idle();

    /// <summary>Stops this processor for good.</summary>
    public static void HaltForever() => Native.HaltForever();

    /// <summary>Resets the machine in the way that needs no device.</summary>
    public static void TripleFault() => Native.TripleFault();

    /// <summary>Writes back and empties the caches.</summary>
    public static void WriteBackInvalidateCaches() => Native.WriteBackInvalidate();
}
