// The literals of a Zstandard block.
namespace Xenolith.Loading;

/// <summary>The literals section (RFC 8878, 3.1.1.3.1): stored, one byte repeated, or Huffman coded in one or four streams.</summary>
internal static class ZstdLiterals
{
    private const int Repeated = 1;
    private const int Compressed = 2;
    private const int Treeless = 3;
    private const int JumpTableBytes = 6;

    /// <summary>
    /// Reads the section at <paramref name="at"/>, which moves behind it; false when it breaks a rule. The literals are the first
    /// <paramref name="count"/> bytes of <paramref name="literals"/>, which lie in the block itself or in the frame's buffer.
    /// </summary>
    internal static bool TryRead(ref ZstdFrame frame, ReadOnlySpan<byte> block, ref int at, out ReadOnlySpan<byte> literals, out int count)
    {
        literals = default;
        count = 0;
        if (at >= block.Length)
        {
            return false;
        }

        int type = block[at] & 3;
        int format = (block[at] >> 2) & 3;
        bool isPacked = type >= Compressed;
        int headerBytes = isPacked ? Math.Max(format + 2, 3) : (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
        if (headerBytes > block.Length - at)
        {
            return false;
        }

        ulong header = 0;
        for (int i = 0; i < headerBytes; i++)
        {
            header |= (ulong)block[at + i] << (i * 8);
        }

        at += headerBytes;
        if (!isPacked)
        {
            count = (int)(header >> (headerBytes == 1 ? 3 : 4));
            return count <= Zstd.MaximumBlockBytes && TryReadPlain(ref frame, block, ref at, type == Repeated, count, out literals);
        }

        int sizeBits = headerBytes == 3 ? 10 : headerBytes == 4 ? 14 : 18;
        count = (int)(header >> 4) & ((1 << sizeBits) - 1);
        int packed = (int)(header >> (4 + sizeBits));
        literals = frame.Literals;
        if (count > Zstd.MaximumBlockBytes || packed > block.Length - at)
        {
            return false;
        }

        int end = at + packed;
        ReadOnlySpan<byte> section = block.Slice(0, end);
        if (type != Treeless)
        {
            frame.HasHuffman = ZstdHuffman.TryReadTable(section, ref at, frame.Huffman);
        }

        Span<byte> target = frame.Literals.Slice(0, count);
        bool isRead = frame.HasHuffman && (format == 0
            ? ZstdHuffman.TryDecode(section.Slice(at - BackwardBits.LeadBytes), frame.Huffman, target)
            : TryDecodeFour(section, at, frame.Huffman, target));
        at = end;
        return isRead;
    }

    private static bool TryReadPlain(ref ZstdFrame frame, ReadOnlySpan<byte> block, ref int at, bool isRepeated, int count, out ReadOnlySpan<byte> literals)
    {
        int bytes = isRepeated ? 1 : count;
        literals = default;
        if (bytes > block.Length - at)
        {
            return false;
        }

        literals = block.Slice(at);
        if (isRepeated)
        {
            frame.Literals.Slice(0, count).Fill(block[at]);
            literals = frame.Literals;
        }

        at += bytes;
        return true;
    }

    private static bool TryDecodeFour(ReadOnlySpan<byte> section, int at, ReadOnlySpan<ushort> table, Span<byte> target)
    {
        int quarter = (target.Length + 3) / 4;
        if (JumpTableBytes > section.Length - at || 3 * quarter > target.Length)
        {
            return false;
        }

        int sizes = at;
        at += JumpTableBytes;
        for (int stream = 0; stream < 4; stream++)
        {
            bool isLast = stream == 3;
            int bytes = isLast ? section.Length - at : Bytes.U16(section, sizes + (stream * 2));
            Span<byte> part = isLast ? target.Slice(3 * quarter) : target.Slice(stream * quarter, quarter);
            if (bytes > section.Length - at || !ZstdHuffman.TryDecode(section.Slice(at - BackwardBits.LeadBytes, BackwardBits.LeadBytes + bytes), table, part))
            {
                return false;
            }

            at += bytes;
        }

        return true;
    }
}
