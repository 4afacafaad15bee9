// The deflate format.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>Unpacks deflate data as of RFC 1951; the output itself is the window.</summary>
internal static class Inflate
{
    private const int EndOfBlock = 256;
    private const int LiteralCodes = 288;
    private const int DistanceCodes = 32;

    private static Table s_literals;
    private static Table s_distances;

    private static ReadOnlySpan<byte> CodeLengthOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    private static ReadOnlySpan<ushort> LengthBase =>
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];

    private static ReadOnlySpan<byte> LengthBits => [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

    private static ReadOnlySpan<ushort> DistanceBase =>
        [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];

    private static ReadOnlySpan<byte> DistanceBits => [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

    /// <summary>Unpacks; <paramref name="used"/> bytes of the input were read, the last one perhaps in part.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, out int used, out int written)
    {
        BitReader reader = new(input);
        written = 0;
        bool isLast = false;
        UnpackResult result = UnpackResult.Done;
        while (!isLast && result == UnpackResult.Done)
        {
            isLast = reader.Take(1) != 0;
            result = reader.Take(2) switch
            {
                0 => Stored(ref reader, output, ref written),
                1 => BuildFixed() ? Compressed(ref reader, output, ref written) : UnpackResult.Corrupt,
                2 => Dynamic(ref reader, output, ref written),
                _ => UnpackResult.Corrupt,
            };
        }

        used = reader.Position;
        return reader.IsOverrun ? UnpackResult.Truncated : result;
    }

    private static UnpackResult Stored(ref BitReader reader, Span<byte> output, ref int written)
    {
        reader.AlignToByte();
        uint length = reader.Take(16);
        if ((length ^ reader.Take(16)) != 0xFFFF)
        {
            return reader.IsOverrun ? UnpackResult.Truncated : UnpackResult.Corrupt;
        }

        if (length > (uint)(output.Length - written))
        {
            return UnpackResult.TooBig;
        }

        for (uint i = 0; i < length && !reader.IsOverrun; i++)
        {
            output[written++] = (byte)reader.Take(8);
        }

        return UnpackResult.Done;
    }

    private static bool BuildFixed()
    {
        Span<byte> lengths = stackalloc byte[LiteralCodes];
        lengths.Slice(0, 144).Fill(8);
        lengths.Slice(144, 112).Fill(9);
        lengths.Slice(256, 24).Fill(7);
        lengths.Slice(280, 8).Fill(8);
        bool built = Huffman.TryBuild(lengths, s_literals);
        Span<byte> distances = lengths.Slice(0, 30);
        distances.Fill(5);
        return built && Huffman.TryBuild(distances, s_distances);
    }

    private static UnpackResult Dynamic(ref BitReader reader, Span<byte> output, ref int written)
    {
        const int Repeat = 16;
        const int ShortZeros = 17;
        int literals = (int)reader.Take(5) + 257;
        int distances = (int)reader.Take(5) + 1;
        int codeLengths = (int)reader.Take(4) + 4;
        if (literals > 286 || distances > 30)
        {
            return UnpackResult.Corrupt;
        }

        Span<byte> lengths = stackalloc byte[LiteralCodes + DistanceCodes];
        lengths.Clear();
        for (int i = 0; i < codeLengths; i++)
        {
            lengths[CodeLengthOrder[i]] = (byte)reader.Take(3);
        }

        if (!Huffman.TryBuild(lengths.Slice(0, 19), s_literals))
        {
            return UnpackResult.Corrupt;
        }

        lengths.Clear();
        for (int at = 0; at < literals + distances;)
        {
            int symbol = reader.Decode(s_literals);
            if (symbol < 0)
            {
                return UnpackResult.Corrupt;
            }

            if (symbol < Repeat)
            {
                lengths[at++] = (byte)symbol;
                continue;
            }

            byte value = symbol == Repeat && at > 0 ? lengths[at - 1] : (byte)0;
            int count = symbol == Repeat ? 3 + (int)reader.Take(2) : symbol == ShortZeros ? 3 + (int)reader.Take(3) : 11 + (int)reader.Take(7);
            if ((symbol == Repeat && at == 0) || at + count > literals + distances)
            {
                return UnpackResult.Corrupt;
            }

            lengths.Slice(at, count).Fill(value);
            at += count;
        }

        bool built = Huffman.TryBuild(lengths.Slice(0, literals), s_literals) && Huffman.TryBuild(lengths.Slice(literals, distances), s_distances);
        return built ? Compressed(ref reader, output, ref written) : UnpackResult.Corrupt;
    }

    private static UnpackResult Compressed(ref BitReader reader, Span<byte> output, ref int written)
    {
        int at = written;
        while (!reader.IsOverrun)
        {
            int symbol = reader.Decode(s_literals);
            if ((uint)symbol < EndOfBlock)
            {
                if (at >= output.Length)
                {
                    return UnpackResult.TooBig;
                }

                output[at++] = (byte)symbol;
                continue;
            }

            if (symbol == EndOfBlock)
            {
                break;
            }

            int lengthCode = symbol - EndOfBlock - 1;
            if ((uint)lengthCode >= (uint)LengthBase.Length)
            {
                return UnpackResult.Corrupt;
            }

            int length = LengthBase[lengthCode] + (int)reader.Take(LengthBits[lengthCode]);
            int distanceCode = reader.Decode(s_distances);
            if ((uint)distanceCode >= (uint)DistanceBase.Length)
            {
                return UnpackResult.Corrupt;
            }

            int distance = DistanceBase[distanceCode] + (int)reader.Take(DistanceBits[distanceCode]);
            if (distance > at)
            {
                return UnpackResult.Corrupt;
            }

            if (length > output.Length - at)
            {
                return UnpackResult.TooBig;
            }

            History.Repeat(output, at, distance, length);
            at += length;
        }

        written = at;
        return UnpackResult.Done;
    }

    [InlineArray(Huffman.TableEntries)]
    private struct Table
    {
        private ushort _first;
    }
}
