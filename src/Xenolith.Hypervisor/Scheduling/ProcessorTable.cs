// The physical processors.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Processor state by index; index 0 is the boot processor.</summary>
public static class ProcessorTable
{
    /// <summary>Most processors a machine may have.</summary>
    public const int Capacity = ProcessorBlock.Capacity;

    private static Slots s_slots;
    private static Blocks s_blocks;

    /// <summary>How many processors run.</summary>
    public static int Count = 1;

    /// <summary>A bit for each processor that runs.</summary>
    public static ulong Online => ulong.MaxValue >> (Capacity - Count);

    public static ref Processor Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref s_slots[Cpu.Index & (Capacity - 1)];
    }

    /// <summary>The block of a processor that is to be started; not valid where there is none. Slot 0 lends a frame for the start.</summary>
    internal static Mfn Block(int index) => new(s_blocks[index & (Capacity - 1)] - 1);

    internal static void SetBlock(int index, Mfn block) => s_blocks[index & (Capacity - 1)] = block.Value + 1;

    public static ref Processor At(int index) => ref s_slots[index & (Capacity - 1)];

    [InlineArray(Capacity)]
    private struct Blocks
    {
        private ulong _first;
    }

    [InlineArray(Capacity)]
    private struct Slots
    {
        private Processor _first;
    }
}
