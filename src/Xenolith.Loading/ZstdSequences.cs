// The sequences of a Zstandard block.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>
/// The sequences section (RFC 8878, 3.1.1.3.2 and 4): each sequence appends literals, then a match. All that the loop touches is a local
/// of it.
/// </summary>
internal static class ZstdSequences
{
    internal const int LengthStates = 1 << 9;
    internal const int OffsetStates = 1 << 8;

    // The most that one sequence takes to change its three states: 9, 9 and 8 bits.
    private const int MostStateBits = 26;

    private static ReadOnlySpan<uint> LiteralBases =>
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

    private static ReadOnlySpan<byte> LiteralExtras =>
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    private static ReadOnlySpan<short> LiteralCounts =>
        [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];

    private static ReadOnlySpan<uint> MatchBases =>
        [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34,
            35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
        ];

    private static ReadOnlySpan<byte> MatchExtras =>
        [
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ];

    private static ReadOnlySpan<short> MatchCounts =>
        [
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ];

    private static ReadOnlySpan<uint> OffsetBases =>
        [
            1, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15,
            1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30, 1u << 31,
        ];

    private static ReadOnlySpan<byte> OffsetExtras =>
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];

    private static ReadOnlySpan<short> OffsetCounts => [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];

    /// <summary>Reads the section at <paramref name="at"/>, which ends with the block, and appends what it and the literals give.</summary>
    internal static UnpackResult Unpack(
        ref ZstdFrame frame, scoped ReadOnlySpan<byte> block, int at, scoped ReadOnlySpan<byte> literals, int literalCount, Span<byte> output, ref int written)
    {
        if (!TryReadCount(block, ref at, out int count) || (count == 0 && at != block.Length))
        {
            return UnpackResult.Corrupt;
        }

        int literalsUsed = 0;
        if (count > 0)
        {
            if (!TryReadTables(ref frame, block, ref at))
            {
                return UnpackResult.Corrupt;
            }

            UnpackResult result = Execute(ref frame, block.Slice(at - BackwardBits.LeadBytes), count, literals, literalCount, ref literalsUsed, output, ref written);
            if (result != UnpackResult.Done)
            {
                return result;
            }
        }

        int rest = literalCount - literalsUsed;
        if (rest > output.Length - written)
        {
            return UnpackResult.TooBig;
        }

        literals.Slice(literalsUsed, rest).CopyTo(output.Slice(written));
        written += rest;
        return UnpackResult.Done;
    }

    private static bool TryReadCount(ReadOnlySpan<byte> block, ref int at, out int count)
    {
        const int FirstTwoBytes = 128;
        const int ThreeBytes = 255;
        const int ThreeBytesBase = 0x7F00;
        count = 0;
        if (at >= block.Length)
        {
            return false;
        }

        int first = block[at++];
        int more = first < FirstTwoBytes ? 0 : first < ThreeBytes ? 1 : 2;
        if (more > block.Length - at)
        {
            return false;
        }

        count = more switch
        {
            0 => first,
            1 => ((first - FirstTwoBytes) << 8) + block[at],
            _ => ThreeBytesBase + Bytes.U16(block, at),
        };
        at += more;
        return true;
    }

    private static bool TryReadTables(ref ZstdFrame frame, scoped ReadOnlySpan<byte> block, ref int at)
    {
        if (at >= block.Length)
        {
            return false;
        }

        int modes = block[at++];
        return (modes & 3) == 0
            && frame.LiteralLengths.TrySet(modes >> 6, block, ref at, LiteralBases, LiteralExtras, LiteralCounts, 6)
            && frame.Offsets.TrySet((modes >> 4) & 3, block, ref at, OffsetBases, OffsetExtras, OffsetCounts, 5)
            && frame.MatchLengths.TrySet((modes >> 2) & 3, block, ref at, MatchBases, MatchExtras, MatchCounts, 6);
    }

    private static UnpackResult Execute(
        ref ZstdFrame frame, scoped ReadOnlySpan<byte> bits, int count, scoped ReadOnlySpan<byte> literals, int literalCount, ref int literalsUsed, Span<byte> output, ref int written)
    {
        if (!BackwardBits.TryOpen(bits, out int end))
        {
            return UnpackResult.Corrupt;
        }

        int position = end;
        ReadOnlySpan<ulong> literalStates = frame.LiteralLengths.States;
        ReadOnlySpan<ulong> offsetStates = frame.Offsets.States;
        ReadOnlySpan<ulong> matchStates = frame.MatchLengths.States;
        ulong word = BackwardBits.Word(bits, position);
        int literalState = Take(ref word, ref position, frame.LiteralLengths.Accuracy);
        int offsetState = Take(ref word, ref position, frame.Offsets.Accuracy);
        int matchState = Take(ref word, ref position, frame.MatchLengths.Accuracy);
        uint offset1 = frame.Offset1;
        uint offset2 = frame.Offset2;
        uint offset3 = frame.Offset3;
        int start = frame.Start;
        int at = written;
        int from = 0;
        while (position >= BackwardBits.Start)
        {
            ulong literalEntry = literalStates[literalState];
            ulong offsetEntry = offsetStates[offsetState];
            ulong matchEntry = matchStates[matchState];
            int offsetBits = FiniteStateEntropy.ExtraBits(offsetEntry);
            int matchBits = FiniteStateEntropy.ExtraBits(matchEntry);
            int literalBits = FiniteStateEntropy.ExtraBits(literalEntry);
            word = BackwardBits.Word(bits, position);
            uint offset = FiniteStateEntropy.Base(offsetEntry) + BackwardBits.Top(word, offsetBits);
            word <<= offsetBits;
            int matchLength = (int)(FiniteStateEntropy.Base(matchEntry) + BackwardBits.Top(word, matchBits));
            word <<= matchBits;
            position -= offsetBits + matchBits;
            if (offsetBits + matchBits + literalBits > BackwardBits.WordBits - MostStateBits)
            {
                if (position < BackwardBits.Start)
                {
                    return UnpackResult.Corrupt;
                }

                word = BackwardBits.Word(bits, position);
            }

            int literalLength = (int)(FiniteStateEntropy.Base(literalEntry) + BackwardBits.Top(word, literalBits));
            word <<= literalBits;
            position -= literalBits;
            if (offset > 3)
            {
                offset -= 3;
                offset3 = offset2;
                offset2 = offset1;
                offset1 = offset;
            }
            else
            {
                // 1 to 3 name an earlier offset; without literals the latest is left out, and the last choice is one less than it.
                uint choice = literalLength == 0 ? offset + 1 : offset;
                offset = choice switch { 1 => offset1, 2 => offset2, 3 => offset3, _ => offset1 - 1 };
                offset3 = choice > 2 ? offset2 : offset3;
                offset2 = choice > 1 ? offset1 : offset2;
                offset1 = offset;
            }

            if (literalLength > literalCount - from)
            {
                return UnpackResult.Corrupt;
            }

            if (literalLength + matchLength > output.Length - at)
            {
                return UnpackResult.TooBig;
            }

            History.Append(output, at, literals, from, literalLength);
            from += literalLength;
            at += literalLength;
            if (offset - 1 >= (uint)(at - start))
            {
                return UnpackResult.Corrupt;
            }

            History.Repeat(output, at, (int)offset, matchLength);
            at += matchLength;
            if (--count == 0)
            {
                break;
            }

            literalState = FiniteStateEntropy.Next(literalEntry) + Take(ref word, ref position, FiniteStateEntropy.StateBits(literalEntry));
            matchState = FiniteStateEntropy.Next(matchEntry) + Take(ref word, ref position, FiniteStateEntropy.StateBits(matchEntry));
            offsetState = FiniteStateEntropy.Next(offsetEntry) + Take(ref word, ref position, FiniteStateEntropy.StateBits(offsetEntry));
        }

        frame.Offset1 = offset1;
        frame.Offset2 = offset2;
        frame.Offset3 = offset3;
        literalsUsed = from;
        written = at;
        return count == 0 && position == BackwardBits.Start ? UnpackResult.Done : UnpackResult.Corrupt;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Take(ref ulong word, ref int position, int count)
    {
        uint value = BackwardBits.Top(word, count);
        word <<= count;
        position -= count;
        return (int)value;
    }
}
