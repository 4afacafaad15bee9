// Words, parts and numbers of a command line.
namespace Xenolith;

/// <summary>Scanning of text that somebody typed.</summary>
internal static class Words
{
    /// <summary>Takes the next word; words are separated by spaces.</summary>
    internal static bool TryNext(scoped ref ReadOnlySpan<byte> line, out ReadOnlySpan<byte> word) => TrySplit(ref line, (byte)' ', out word);

    /// <summary>Takes the next of the parts that commas separate.</summary>
    internal static bool TryNextPart(scoped ref ReadOnlySpan<byte> value, out ReadOnlySpan<byte> part) => TrySplit(ref value, (byte)',', out part);

    /// <summary>Decimal, or hexadecimal after 0x.</summary>
    internal static bool TryNumber(ReadOnlySpan<byte> text, out ulong number)
    {
        number = 0;
        bool isHex = text.StartsWith("0x"u8);
        ReadOnlySpan<byte> digits = isHex ? text.Slice(2) : text;
        ulong radix = isHex ? 16UL : 10;
        for (int i = 0; i < digits.Length; i++)
        {
            byte lower = (byte)(digits[i] | 0x20);
            ulong digit = digits[i] is >= (byte)'0' and <= (byte)'9' ? (ulong)(digits[i] - '0')
                : lower is >= (byte)'a' and <= (byte)'f' ? (ulong)(lower - 'a') + 10
                : radix;
            if (digit >= radix || number > (ulong.MaxValue - digit) / radix)
            {
                return false;
            }

            number = (number * radix) + digit;
        }

        return digits.Length != 0;
    }

    /// <summary>A number with a unit: B, K, M, G or T; none means K, as in Xen.</summary>
    internal static bool TrySize(ReadOnlySpan<byte> text, out ulong bytes)
    {
        bytes = 0;
        if (text.IsEmpty)
        {
            return false;
        }

        int shift = (text[text.Length - 1] | 0x20) switch
        {
            'b' => 0,
            'k' => 10,
            'm' => 20,
            'g' => 30,
            't' => 40,
            _ => -1,
        };
        ReadOnlySpan<byte> digits = shift < 0 ? text : text.Slice(0, text.Length - 1);
        shift = shift < 0 ? 10 : shift;
        if (!TryNumber(digits, out ulong number) || number > ulong.MaxValue >> shift)
        {
            return false;
        }

        bytes = number << shift;
        return true;
    }

    private static bool TrySplit(scoped ref ReadOnlySpan<byte> line, byte separator, out ReadOnlySpan<byte> word)
    {
        while (!line.IsEmpty && line[0] == separator)
        {
            line = line.Slice(1);
        }

        int end = line.IndexOf(separator);
        word = end < 0 ? line : line.Slice(0, end);
        line = end < 0 ? default : line.Slice(end);
        return !word.IsEmpty;
    }
}
