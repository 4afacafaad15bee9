// Twin of Cpu/Cpu.cs: waiting and ending.
using System.Threading;

namespace Xenolith.Machine;

/// <summary>Which processor this is, and how it waits.</summary>
public static class Cpu
{
    public static int Index => FakeCpu.Index;

    /// <summary>A test that runs several processors lets another one go on.</summary>
    public static void Pause()
    {
        if (Interleaving.OnPause is { } pause)
        {
            pause();
            return;
        }

        Thread.Yield();
    }

    public static void HaltWithInterrupts() => Native.Idle();

    public static void HaltForever() => Native.HaltForever();

    public static void TripleFault() => Native.TripleFault();

    public static void WriteBackInvalidateCaches() => Native.WriteBackInvalidate();
}
