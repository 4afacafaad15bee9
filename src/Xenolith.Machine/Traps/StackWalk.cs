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

    /// <summary>Finds the next word that points behind a call of our text, from <paramref name="stack"/> upwards; false at the stack's end.</summary>
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
                if (IsBehindCall(address))
                {
                    stack = at + 8;
                    return true;
                }
            }
        }

        address = 0;
        return false;
    }

    /// <summary>Whether a call ends at the address: E8 with 4 bytes, or FF /2 with a register, an address in one, or 1 or 4 bytes more.</summary>
    private static bool IsBehindCall(ulong address)
    {
        const int LongestCall = 7;
        if (address < Symbols.TextStart + LongestCall || address >= Symbols.TextEnd)
        {
            return false;
        }

        // SAFETY: the text is mapped, and the bytes read lie between its start and the address.
        byte* end = (byte*)address;
        return end[-5] == 0xE8 || IsIndirectCall(end[-2], end[-1]) || IsIndirectCall(end[-3], end[-2]) || IsIndirectCall(end[-6], end[-5])
            || IsIndirectCall(end[-7], end[-6]);
    }

    private static bool IsIndirectCall(byte opcode, byte operand) => opcode == 0xFF && (operand & 0x38) == 0x10;
}
