// The finite state entropy codes of Zstandard.
using System.Numerics;

namespace Xenolith.Loading;

/// <summary>
/// Tables as of RFC 8878, 4.1. One entry a state: a symbol's base value in bits 0 to 31, the next state's base in 32 to 47, how many bits
/// are added to that in 48 to 55, and how many bits are added to the base value in 56 to 63.
/// </summary>
internal static class FiniteStateEntropy
{
    private const int MinimumAccuracy = 5;
    private const int MostSymbols = 64;

    internal static uint Base(ulong entry) => (uint)entry;

    internal static int Next(ulong entry) => (ushort)(entry >> 32);

    internal static int StateBits(ulong entry) => (byte)(entry >> 48);

    internal static int ExtraBits(ulong entry) => (int)(entry >> 56);

    /// <summary>
    /// Reads how often each symbol occurs and builds the table; -1 when the description breaks a rule. Otherwise the binary logarithm of
    /// the states in use; <paramref name="used"/> bytes of the input were read.
    /// </summary>
    internal static int Read(ReadOnlySpan<byte> input, ReadOnlySpan<uint> bases, ReadOnlySpan<byte> extras, Span<ulong> table, out int used)
    {
        Span<short> counts = stackalloc short[MostSymbols];
        BitReader reader = new(input);
        used = 0;
        int accuracy = (int)reader.Take(4) + MinimumAccuracy;
        if (1 << accuracy > table.Length)
        {
            return -1;
        }

        int left = 1 << accuracy;
        int symbols = 0;
        while (left > 0)
        {
            if (symbols >= bases.Length)
            {
                return -1;
            }

            int count = ReadCount(ref reader, left);
            counts[symbols++] = (short)count;
            left -= count < 0 ? 1 : count;
            if (count == 0 && !TrySkipAbsent(ref reader, counts.Slice(0, bases.Length), ref symbols))
            {
                return -1;
            }
        }

        reader.AlignToByte();
        if (reader.IsOverrun)
        {
            return -1;
        }

        used = reader.Position;
        Build(counts.Slice(0, symbols), accuracy, bases, extras, table);
        return accuracy;
    }

    /// <summary>Builds the table of counts whose sum is the number of states, where -1 is a symbol rarer than 1.</summary>
    internal static void Build(ReadOnlySpan<short> counts, int accuracy, ReadOnlySpan<uint> bases, ReadOnlySpan<byte> extras, Span<ulong> table)
    {
        Span<ushort> next = stackalloc ushort[MostSymbols];
        int size = 1 << accuracy;
        int high = size - 1;
        for (int symbol = 0; symbol < counts.Length; symbol++)
        {
            next[symbol] = (ushort)Math.Max((int)counts[symbol], 1);
            if (counts[symbol] < 0)
            {
                table[high--] = (uint)symbol;
            }
        }

        int step = (size >> 1) + (size >> 3) + 3;
        int at = 0;
        for (int symbol = 0; symbol < counts.Length; symbol++)
        {
            for (int i = 0; i < counts[symbol]; i++)
            {
                table[at] = (uint)symbol;
                do
                {
                    at = (at + step) & (size - 1);
                }
                while (at > high);
            }
        }

        for (int state = 0; state < size; state++)
        {
            int symbol = (int)table[state];
            uint value = next[symbol]++;
            int bits = accuracy - (31 - BitOperations.LeadingZeroCount(value));
            ulong nextState = (value << bits) - (uint)size;
            table[state] = bases[symbol] | (nextState << 32) | ((ulong)bits << 48) | ((ulong)extras[symbol] << 56);
        }
    }

    /// <summary>The table of one state, which never changes and takes no bits.</summary>
    internal static void BuildSingle(int symbol, ReadOnlySpan<uint> bases, ReadOnlySpan<byte> extras, Span<ulong> table)
        => table[0] = bases[symbol] | ((ulong)extras[symbol] << 56);

    /// <summary>One count: -1 for a rare symbol, else at most <paramref name="left"/>; small values take one bit less.</summary>
    private static int ReadCount(ref BitReader reader, int left)
    {
        int bits = 32 - BitOperations.LeadingZeroCount((uint)left + 1);
        int half = 1 << (bits - 1);
        int shorter = (2 * half) - 2 - left;
        int value = (int)reader.Take(bits - 1);
        if (value >= shorter && reader.Take(1) != 0)
        {
            value += half - shorter;
        }

        return value - 1;
    }

    /// <summary>After a symbol that does not occur: how many more do not, in steps of up to 3.</summary>
    private static bool TrySkipAbsent(ref BitReader reader, scoped Span<short> counts, ref int symbols)
    {
        uint more;
        do
        {
            more = reader.Take(2);
            for (uint i = 0; i < more; i++)
            {
                if (symbols >= counts.Length)
                {
                    return false;
                }

                counts[symbols++] = 0;
            }
        }
        while (more == 3);
        return true;
    }
}
