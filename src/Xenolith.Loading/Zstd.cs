// Zstandard files.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>
/// Frames and skippable frames as of RFC 8878, one after the other, without dictionaries. The output is the window, whatever size a frame
/// names for it.
/// </summary>
internal static class Zstd
{
    internal const int MaximumBlockBytes = 128 << 10;

    private const uint Magic = 0xFD2F_B528;
    private const uint SkippableMagic = 0x184D_2A50;
    private const int BlockHeaderBytes = 3;
    private const int ChecksumBytes = 4;

    private static LiteralBuffer s_literals;
    private static HuffmanTable s_huffman;
    private static LengthTable s_literalLengths;
    private static LengthTable s_matchLengths;
    private static OffsetTable s_offsets;

    internal static bool IsMagic(ReadOnlySpan<byte> input) => input.Length >= 4 && Bytes.U32(input, 0) == Magic;

    /// <summary>Unpacks into <paramref name="output"/>; <paramref name="written"/> is the length of the result.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        written = 0;
        int at = 0;
        do
        {
            if (input.Length - at < 8)
            {
                return UnpackResult.Truncated;
            }

            UnpackResult result = (Bytes.U32(input, at) & 0xFFFF_FFF0) == SkippableMagic
                ? Skip(input, ref at)
                : Frame(input, ref at, output, ref written);
            if (result != UnpackResult.Done)
            {
                return result;
            }
        }
        while (at < input.Length);
        return UnpackResult.Done;
    }

    private static UnpackResult Skip(ReadOnlySpan<byte> input, ref int at)
    {
        uint bytes = Bytes.U32(input, at + 4);
        at += 8;
        if (bytes > (uint)(input.Length - at))
        {
            return UnpackResult.Truncated;
        }

        at += (int)bytes;
        return UnpackResult.Done;
    }

    private static UnpackResult Frame(ReadOnlySpan<byte> input, ref int at, Span<byte> output, ref int written)
    {
        UnpackResult result = ReadHeader(input, ref at, out ulong contentBytes, out bool hasChecksum);
        ZstdFrame frame = new(s_literals, s_huffman, s_literalLengths, s_offsets, s_matchLengths, written);
        bool isLast = false;
        while (!isLast && result == UnpackResult.Done)
        {
            result = Block(ref frame, input, ref at, output, ref written, out isLast);
        }

        if (result != UnpackResult.Done)
        {
            return result;
        }

        ReadOnlySpan<byte> content = output.Slice(frame.Start, written - frame.Start);
        if (contentBytes != ulong.MaxValue && contentBytes != (ulong)content.Length)
        {
            return UnpackResult.Corrupt;
        }

        if (!hasChecksum)
        {
            return UnpackResult.Done;
        }

        if (ChecksumBytes > input.Length - at)
        {
            return UnpackResult.Truncated;
        }

        at += ChecksumBytes;
        return Bytes.U32(input, at - ChecksumBytes) == (uint)XxHash64.Of(content) ? UnpackResult.Done : UnpackResult.Corrupt;
    }

    /// <summary>The content's length is <see cref="ulong.MaxValue"/> when the frame does not say it.</summary>
    private static UnpackResult ReadHeader(ReadOnlySpan<byte> input, ref int at, out ulong contentBytes, out bool hasChecksum)
    {
        const int HasChecksum = 4;
        const int Reserved = 8;
        const int IsSingleSegment = 32;
        contentBytes = ulong.MaxValue;
        int descriptor = input[at + 4];
        hasChecksum = (descriptor & HasChecksum) != 0;
        if (Bytes.U32(input, at) != Magic || (descriptor & Reserved) != 0)
        {
            return UnpackResult.Corrupt;
        }

        bool isSingle = (descriptor & IsSingleSegment) != 0;
        int windowBytes = isSingle ? 0 : 1;
        int dictionaryBytes = (1 << (descriptor & 3)) >> 1;
        int lengthBytes = (descriptor >> 6) == 0 && !isSingle ? 0 : 1 << (descriptor >> 6);
        at += 5 + windowBytes;
        if (dictionaryBytes + lengthBytes > input.Length - at)
        {
            return UnpackResult.Truncated;
        }

        for (int i = 0; i < dictionaryBytes; i++)
        {
            // Number 0 is no dictionary.
            if (input[at++] != 0)
            {
                return UnpackResult.Unsupported;
            }
        }

        contentBytes = lengthBytes switch
        {
            0 => ulong.MaxValue,
            1 => input[at],
            2 => Bytes.U16(input, at) + 256u,
            4 => Bytes.U32(input, at),
            _ => Bytes.U64(input, at),
        };
        at += lengthBytes;
        return UnpackResult.Done;
    }

    private static UnpackResult Block(ref ZstdFrame frame, ReadOnlySpan<byte> input, ref int at, Span<byte> output, ref int written, out bool isLast)
    {
        const int Stored = 0;
        const int Repeated = 1;
        const int Compressed = 2;
        isLast = false;
        if (BlockHeaderBytes > input.Length - at)
        {
            return UnpackResult.Truncated;
        }

        int header = Bytes.U16(input, at) | (input[at + 2] << 16);
        at += BlockHeaderBytes;
        isLast = (header & 1) != 0;
        int type = (header >> 1) & 3;
        int bytes = header >> 3;
        int packed = type == Repeated ? 1 : bytes;
        if (bytes > MaximumBlockBytes || type > Compressed)
        {
            return UnpackResult.Corrupt;
        }

        if (packed > input.Length - at)
        {
            return UnpackResult.Truncated;
        }

        int start = at;
        at += packed;
        if (type == Compressed)
        {
            // In front of a block stand the headers of frame and block: more than the bit streams in it reach before their start.
            return CompressedBlock(ref frame, input.Slice(start - BackwardBits.LeadBytes, BackwardBits.LeadBytes + packed), output, ref written);
        }

        if (bytes > output.Length - written)
        {
            return UnpackResult.TooBig;
        }

        Span<byte> target = output.Slice(written, bytes);
        if (type == Stored)
        {
            input.Slice(start, bytes).CopyTo(target);
        }
        else
        {
            target.Fill(input[start]);
        }

        written += bytes;
        return UnpackResult.Done;
    }

    private static UnpackResult CompressedBlock(ref ZstdFrame frame, ReadOnlySpan<byte> block, Span<byte> output, ref int written)
    {
        int at = BackwardBits.LeadBytes;
        return ZstdLiterals.TryRead(ref frame, block, ref at, out ReadOnlySpan<byte> literals, out int count)
            ? ZstdSequences.Unpack(ref frame, block, at, literals, count, output, ref written)
            : UnpackResult.Corrupt;
    }

    // Eight bytes more than a block has: the decoder copies in steps of eight.
    [InlineArray(MaximumBlockBytes + 8)]
    private struct LiteralBuffer
    {
        private byte _first;
    }

    [InlineArray(ZstdHuffman.TableEntries)]
    private struct HuffmanTable
    {
        private ushort _first;
    }

    [InlineArray(ZstdSequences.LengthStates)]
    private struct LengthTable
    {
        private ulong _first;
    }

    [InlineArray(ZstdSequences.OffsetStates)]
    private struct OffsetTable
    {
        private ulong _first;
    }
}
