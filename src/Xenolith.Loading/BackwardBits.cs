// A stream of bits that is read from its end.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>
/// The bit streams of Zstandard (RFC 8878, 4.1): the highest set bit of the last byte marks the end, reading starts below it and goes
/// down. The position is the caller's local: the number of bits of the span that are still ahead. A span begins
/// <see cref="LeadBytes"/> before the stream, so that a word can be read anywhere in it; a position below <see cref="Start"/> means
/// that more was taken than there is, and must not be read at.
/// </summary>
internal static class BackwardBits
{
    internal const int LeadBytes = 8;
    internal const int Start = LeadBytes * 8;

    /// <summary>As many bits as <see cref="Word"/> has at the least.</summary>
    internal const int WordBits = 56;

    /// <summary>Where reading starts; false when the stream has no end mark.</summary>
    internal static bool TryOpen(ReadOnlySpan<byte> bits, out int position)
    {
        uint last = bits.Length > LeadBytes ? bits[bits.Length - 1] : 0u;
        position = (bits.Length * 8) - 1 - (BitOperations.LeadingZeroCount(last | 1) - 24);
        return last != 0;
    }

    /// <summary>The next bits, the first one on top; zeros below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Word(ReadOnlySpan<byte> bits, int position) => Bytes.U64(bits, (position >> 3) - 7) << (8 - (position & 7));

    /// <summary>The top 0 to 63 bits of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Top(ulong word, int count) => (uint)((word >> 1) >> (63 - count));
}
