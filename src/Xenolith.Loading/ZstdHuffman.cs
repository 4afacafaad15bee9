// The Huffman codes of Zstandard.
using System.Numerics;

namespace Xenolith.Loading;

/// <summary>
/// Codes of up to 11 bits for literals (RFC 8878, 4.2) in one table of 2^11 entries, indexed by the next 11 bits: symbol in bits 0 to 7,
/// length in bits 8 to 15.
/// </summary>
internal static class ZstdHuffman
{
    internal const int MaximumBits = 11;
    internal const int TableEntries = 1 << MaximumBits;

    private const int MostSymbols = 256;
    private const int WeightAccuracy = 6;

    /// <summary>The value of a state that decodes a weight is the weight itself.</summary>
    private static ReadOnlySpan<uint> WeightBases => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

    private static ReadOnlySpan<byte> WeightExtras => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>
    /// Reads the description of a code and fills the table; false when it breaks a rule. The block's bytes from <paramref name="at"/> on
    /// hold it, and <paramref name="at"/> moves behind it.
    /// </summary>
    internal static bool TryReadTable(ReadOnlySpan<byte> block, ref int at, Span<ushort> table)
    {
        const int FirstDirect = 128;
        if (at >= block.Length)
        {
            return false;
        }

        Span<byte> weights = stackalloc byte[MostSymbols];
        int header = block[at++];
        int count;
        if (header < FirstDirect)
        {
            if (header > block.Length - at || !TryReadWeights(block.Slice(0, at + header), at, weights, out count))
            {
                return false;
            }

            at += header;
        }
        else
        {
            count = header - FirstDirect + 1;
            int bytes = (count + 1) / 2;
            if (bytes > block.Length - at)
            {
                return false;
            }

            for (int i = 0; i < count; i++)
            {
                int pair = block[at + (i / 2)];
                weights[i] = (byte)((i & 1) == 0 ? pair >> 4 : pair & 15);
            }

            at += bytes;
        }

        return TryCompleteWeights(weights, ref count, out int bits) && Fill(weights.Slice(0, count), bits, table);
    }

    /// <summary>Decodes one stream, which begins <see cref="BackwardBits.LeadBytes"/> into the span; true when it gives just the target.</summary>
    internal static bool TryDecode(ReadOnlySpan<byte> bits, ReadOnlySpan<ushort> table, Span<byte> target)
    {
        const int Group = BackwardBits.WordBits / MaximumBits;
        const int Shift = 64 - MaximumBits;
        if (!BackwardBits.TryOpen(bits, out int end))
        {
            return false;
        }

        int position = end;
        int at = 0;
        while (at <= target.Length - Group && position >= BackwardBits.Start)
        {
            ulong word = BackwardBits.Word(bits, position);
            Span<byte> group = target.Slice(at, Group);
            int first = table[(int)(word >> Shift)];
            word <<= first >> 8;
            int second = table[(int)(word >> Shift)];
            word <<= second >> 8;
            int third = table[(int)(word >> Shift)];
            word <<= third >> 8;
            int fourth = table[(int)(word >> Shift)];
            word <<= fourth >> 8;
            int fifth = table[(int)(word >> Shift)];
            group[0] = (byte)first;
            group[1] = (byte)second;
            group[2] = (byte)third;
            group[3] = (byte)fourth;
            group[4] = (byte)fifth;
            position -= (first >> 8) + (second >> 8) + (third >> 8) + (fourth >> 8) + (fifth >> 8);
            at += Group;
        }

        while (at < target.Length && position >= BackwardBits.Start)
        {
            int entry = table[(int)(BackwardBits.Word(bits, position) >> Shift)];
            target[at++] = (byte)entry;
            position -= entry >> 8;
        }

        return at == target.Length && position == BackwardBits.Start;
    }

    /// <summary>Weights packed with finite state entropy: two states take turns until the bits are used up.</summary>
    private static bool TryReadWeights(ReadOnlySpan<byte> block, int at, Span<byte> weights, out int count)
    {
        Span<ulong> table = stackalloc ulong[1 << WeightAccuracy];
        count = 0;
        int accuracy = FiniteStateEntropy.Read(block.Slice(at), WeightBases, WeightExtras, table, out int used);
        if (accuracy < 0)
        {
            return false;
        }

        ReadOnlySpan<byte> bits = block.Slice(at + used - BackwardBits.LeadBytes);
        if (!BackwardBits.TryOpen(bits, out int position))
        {
            return false;
        }

        ulong word = BackwardBits.Word(bits, position);
        int current = (int)BackwardBits.Top(word, accuracy);
        int other = (int)BackwardBits.Top(word << accuracy, accuracy);
        position -= 2 * accuracy;
        while (position >= BackwardBits.Start && count < MostSymbols - 2)
        {
            ulong entry = table[current];
            weights[count++] = (byte)FiniteStateEntropy.Base(entry);
            int stateBits = FiniteStateEntropy.StateBits(entry);
            current = other;
            other = FiniteStateEntropy.Next(entry) + (int)BackwardBits.Top(BackwardBits.Word(bits, position), stateBits);
            position -= stateBits;
            if (position < BackwardBits.Start)
            {
                // The other state's next value is not there any more; this one's is the last.
                weights[count++] = (byte)FiniteStateEntropy.Base(table[current]);
                return true;
            }
        }

        return false;
    }

    /// <summary>The last weight is not written: it makes the code complete.</summary>
    private static bool TryCompleteWeights(Span<byte> weights, ref int count, out int bits)
    {
        uint sum = 0;
        bits = 0;
        for (int i = 0; i < count; i++)
        {
            if (weights[i] > MaximumBits)
            {
                return false;
            }

            sum += weights[i] == 0 ? 0u : 1u << (weights[i] - 1);
        }

        bits = 32 - BitOperations.LeadingZeroCount(sum);
        if (sum == 0 || bits > MaximumBits)
        {
            return false;
        }

        uint missing = (1u << bits) - sum;
        weights[count++] = (byte)(32 - BitOperations.LeadingZeroCount(missing));
        return (missing & (missing - 1)) == 0;
    }

    /// <summary>The lowest weights have the longest codes, which come first. A complete code fills the table.</summary>
    private static bool Fill(ReadOnlySpan<byte> weights, int bits, Span<ushort> table)
    {
        int at = 0;
        for (int weight = 1; weight <= bits; weight++)
        {
            int length = bits + 1 - weight;
            int entries = TableEntries >> length;
            for (int symbol = 0; symbol < weights.Length; symbol++)
            {
                if (weights[symbol] == weight)
                {
                    table.Slice(at, entries).Fill((ushort)((length << 8) | symbol));
                    at += entries;
                }
            }
        }

        return at == TableEntries;
    }
}
