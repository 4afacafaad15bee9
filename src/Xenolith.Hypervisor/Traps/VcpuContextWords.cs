// A copy of a vcpu's context, in the form of the interface.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>
/// struct vcpu_guest_context by words. There is one copy: whoever uses it holds the core's lock, and is done with it before letting go.
/// </summary>
internal static class VcpuContextWords
{
    private const int Count = VcpuGuestContextLayout.Bytes / 8;

    private static Words s_words;

    /// <summary>The word at a byte offset, which is a multiple of 8.</summary>
    internal static ref ulong At(int offset) => ref s_words[offset / 8];

    internal static void Clear() => s_words = default;

    /// <summary>Copies the guest's, once.</summary>
    internal static bool TryReadFrom(GuestAddress at)
    {
        for (int i = 0; i < Count; i++)
        {
            if (!GuestMemory.TryRead(at.Add((ulong)i * 8), out ulong word))
            {
                return false;
            }

            s_words[i] = word;
        }

        return true;
    }

    internal static bool TryWriteTo(GuestAddress at)
    {
        for (int i = 0; i < Count; i++)
        {
            if (!GuestMemory.TryWrite(at.Add((ulong)i * 8), s_words[i]))
            {
                return false;
            }
        }

        return true;
    }

    [InlineArray(Count)]
    private struct Words
    {
        private ulong _first;
    }
}
