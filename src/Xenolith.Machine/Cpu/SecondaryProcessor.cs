// Starting a processor other than the first.
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Xenolith.Machine;

/// <summary>INIT and startup IPIs (Intel SDM vol. 3, "MP initialization"); the code that they run is copied below 1 MiB for the time.</summary>
public static unsafe class SecondaryProcessor
{
    private const int PageBytes = 4096;

    private static int s_arrived;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "trampoline_start_high")] private static extern void TrampolineStart();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "trampoline_end_high")] private static extern void TrampolineEnd();

    /// <summary>Index of the last processor that has said that it runs.</summary>
    public static int Arrived => Volatile.Read(ref s_arrived);

    /// <summary>
    /// Puts the startup code into a page of RAM below 1 MiB (0 to 159) and gives what stood there; <see cref="RestorePage"/> puts it back
    /// when all processors run.
    /// </summary>
    public static void PlacePage(Mfn page, Mfn saved)
    {
        PhysicalMemory.Copy(saved, page);
        byte* code = (byte*)(delegate*<void>)&TrampolineStart;
        int length = (int)((byte*)(delegate*<void>)&TrampolineEnd - code);

        // SAFETY: the symbols bound the code, which is shorter than a page.
        new ReadOnlySpan<byte>(code, Math.Min(length, PageBytes)).CopyTo(PhysicalMemory.Bytes(page));
    }

    /// <summary>Puts back what stood in the page.</summary>
    public static void RestorePage(Mfn page, Mfn saved) => PhysicalMemory.Copy(page, saved);

    /// <summary>Sends INIT; the processor waits for a startup IPI afterwards (10 ms later).</summary>
    public static void SendInit(uint apicId, Mfn block)
    {
        ProcessorBlock.HandOut(block);
        LocalApic.SendInit(apicId);
    }

    /// <summary>Sends the startup IPI for the page that <see cref="PlacePage"/> prepared.</summary>
    public static void SendStartup(uint apicId, Mfn page) => LocalApic.SendStartup(apicId, (byte)page.Value);

    /// <summary>To be called first on a processor that has just come to C#: its descriptors, control registers and APIC, as the first one's.</summary>
    public static void Initialize(byte spuriousVector, byte errorVector)
    {
        Descriptors.InitializeSecondary();
        Protection.EnableSecondary();
        LocalApic.InitializeSecondary(spuriousVector, errorVector);
    }

    /// <summary>Tells the first processor that this one runs.</summary>
    public static void Arrive() => Volatile.Write(ref s_arrived, Cpu.Index);
}
