// The return addresses on this processor's stack.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>Reads a stack of the hypervisor word by word.</summary>
public static unsafe class StackWalk
{
    /// <summary>A stack pointer of the caller's.</summary>
    [SkipLocalsInit]
    public static ulong Here()
    {
        ulong probe;
        return (ulong)&probe;
    }

    /// <summary>Finds the next word that points into the text, from <paramref name="stack"/> upwards; false at the stack's end.</summary>
    public static bool TryNext(ref ulong stack, out ulong address)
    {
        ulong end = Descriptors.StackTop;
        ulong at = (stack + 7) & ~7UL;

        // SAFETY: only words between the bottom and the top of this processor's stack are read.
        if (at >= end - AsmOffsets.ProcessorStackBytes + 64)
        {
            for (; at < end; at += 8)
            {
                address = *(ulong*)at;
                if (address >= Symbols.TextStart && address < Symbols.TextEnd)
                {
                    stack = at + 8;
                    return true;
                }
            }
        }

        address = 0;
        return false;
    }
}
