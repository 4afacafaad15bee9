// The memory that belongs to one processor: its stack, and behind it what the processor itself reads.
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>
/// A block is aligned to the length of a stack and begins with it: the four lowest pages of the stack are those of #DF, NMI, #MC and
/// #DB, its last 64 bytes hold the processor's index. The descriptor page, the task state and the entry area follow. So the address of
/// any local variable leads to all of it.
/// </summary>
public static unsafe class ProcessorBlock
{
    /// <summary>Most processors a machine may have.</summary>
    public const int Capacity = 64;

    internal const int TaskStateBytes = 128;
    private const ulong StackBytes = AsmOffsets.ProcessorStackBytes;
    private const ulong Frames = (StackBytes / 4096) + 2;
    private const ulong ImageBase = 0xFFFF_82D0_8000_0000;

    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "secondary_root")] private static extern void SecondaryRoot();
    [MethodImpl(MethodImplOptions.InternalCall), RuntimeImport("*", "secondary_stack")] private static extern void SecondaryStack();

    /// <summary>Stack pointer for C# on this processor.</summary>
    public static ulong StackTop => Start + StackBytes - 64;

    // SAFETY: nothing is read through the local's address; it only tells which stack this is.
    internal static ulong Start
    {
        [SkipLocalsInit]
        get
        {
            byte probe;
            return (ulong)&probe & ~(StackBytes - 1);
        }
    }

    internal static byte* DescriptorPage => (byte*)(Start + StackBytes);

    internal static byte* TaskState => (byte*)(Start + StackBytes + 4096);

    internal static ulong* EntryArea => (ulong*)(Start + StackBytes + 4096 + TaskStateBytes);

    /// <summary>Frame of this processor's descriptor page: of the image on the first processor, of RAM on the others.</summary>
    internal static Mfn DescriptorFrame
    {
        get
        {
            ulong address = (ulong)DescriptorPage;
            return new((address - (address >= PhysicalMemory.DirectMapStart ? PhysicalMemory.DirectMapStart : ImageBase)) >> 12);
        }
    }

    /// <summary>Makes a block for a further processor, from the frames that the hypervisor keeps for itself at boot.</summary>
    public static Mfn Allocate(int index)
    {
        Fatal.Assert((uint)index < Capacity, "processor index out of range"u8);
        Mfn first = EarlyFrames.Allocate(Frames, StackBytes / 4096);
        PhysicalMemory.At<int>(first.Add((StackBytes / 4096) - 1), 4096 - 64) = index;
        return first;
    }

    /// <summary>Names the block on which the next processor that starts finds its stack.</summary>
    internal static void HandOut(Mfn block)
    {
        // SAFETY: two words of the image that only the start of a further processor reads.
        *(ulong*)(delegate*<void>)&SecondaryRoot = HypervisorAddressSpace.Root.Address.Value;
        *(ulong*)(delegate*<void>)&SecondaryStack = PhysicalMemory.DirectMapAddress(block, 0) + StackBytes - 64;
    }
}
