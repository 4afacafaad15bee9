// The physical processors.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Processor state by index; index 0 is the boot processor.</summary>
public static class ProcessorTable
{
    /// <summary>Most processors a machine may have.</summary>
    public const int Capacity = 64;

    private static Slots s_slots;

    /// <summary>How many processors run.</summary>
    public static int Count = 1;

    public static ref Processor Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref s_slots[Cpu.Index & (Capacity - 1)];
    }

    public static ref Processor At(int index) => ref s_slots[index & (Capacity - 1)];

    [InlineArray(Capacity)]
    private struct Slots
    {
        private Processor _first;
    }
}
