// One word per processor.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>What this layer remembers of each processor's registers; every processor reads and writes its own word only.</summary>
internal struct ProcessorValues
{
    private Words _words;

    /// <summary>The word of the processor that asks.</summary>
    internal static ref ulong Current(ref ProcessorValues values) => ref values._words[Cpu.Index & (ProcessorBlock.Capacity - 1)];

    [InlineArray(ProcessorBlock.Capacity)]
    private struct Words
    {
        private ulong _first;
    }
}
