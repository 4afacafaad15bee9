// Canonical Huffman codes of deflate.
namespace Xenolith.Loading;

/// <summary>
/// A code of up to 15 bits in one table of 2^15 entries: each entry holds symbol &lt;&lt; 4 | length, 0 = no such code.
/// </summary>
internal static class Huffman
{
    internal const int MaximumBits = 15;
    internal const int TableEntries = 1 << MaximumBits;
    internal const int Mask = TableEntries - 1;

    /// <summary>Fills the table from code lengths. False when the lengths ask for more codes than there are.</summary>
    internal static bool TryBuild(ReadOnlySpan<byte> lengths, Span<ushort> table)
    {
        Span<int> counts = stackalloc int[MaximumBits + 1];
        Span<int> next = stackalloc int[MaximumBits + 1];
        counts.Clear();
        for (int symbol = 0; symbol < lengths.Length; symbol++)
        {
            counts[lengths[symbol]]++;
        }

        int code = 0;
        for (int bits = 1; bits <= MaximumBits; bits++)
        {
            next[bits] = code;
            code += counts[bits];
            if (code > 1 << bits)
            {
                return false;
            }

            code <<= 1;
        }

        table.Clear();
        for (int symbol = 0; symbol < lengths.Length; symbol++)
        {
            int length = lengths[symbol];
            if (length == 0)
            {
                continue;
            }

            for (int at = Reverse(next[length]++, length); at < TableEntries; at += 1 << length)
            {
                table[at] = (ushort)((symbol << 4) | length);
            }
        }

        return true;
    }

    private static int Reverse(int code, int length)
    {
        int reversed = 0;
        for (int bit = 0; bit < length; bit++)
        {
            reversed |= ((code >> bit) & 1) << (length - 1 - bit);
        }

        return reversed;
    }
}
