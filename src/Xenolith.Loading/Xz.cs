// xz files.
namespace Xenolith.Loading;

/// <summary>
/// One stream as of the .xz file format 1.2: any number of blocks, filters LZMA2 alone or x86 BCJ before it, check none or CRC-32
/// (what Linux kernels are packed with).
/// </summary>
internal static class Xz
{
    private const int HeaderBytes = 12;
    private const int CheckNone = 0;
    private const int CheckCrc32 = 1;
    private const ulong FilterLzma2 = 0x21;
    private const ulong FilterX86 = 0x04;

    private static ReadOnlySpan<byte> Magic => [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00];

    internal static bool IsMagic(ReadOnlySpan<byte> input) => input.StartsWith(Magic);

    /// <summary>Unpacks into <paramref name="output"/>, which serves as the dictionary; <paramref name="written"/> is the result's length.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        written = 0;
        if (input.Length < HeaderBytes)
        {
            return UnpackResult.Truncated;
        }

        if (!IsMagic(input) || Crc32.Of(input.Slice(6, 2)) != Bytes.U32(input, 8) || input[6] != 0)
        {
            return UnpackResult.Corrupt;
        }

        int check = input[7];
        if (check is not (CheckNone or CheckCrc32))
        {
            return UnpackResult.Unsupported;
        }

        int at = HeaderBytes;
        while (at < input.Length && input[at] != 0)
        {
            UnpackResult result = Block(input, ref at, output, ref written, check);
            if (result != UnpackResult.Done)
            {
                return result;
            }
        }

        // A zero byte begins the index: its presence shows that no block is missing.
        return at < input.Length ? UnpackResult.Done : UnpackResult.Truncated;
    }

    private static UnpackResult Block(ReadOnlySpan<byte> input, ref int at, Span<byte> output, ref int written, int check)
    {
        int headerBytes = (input[at] + 1) * 4;
        if (headerBytes > input.Length - at)
        {
            return UnpackResult.Truncated;
        }

        ReadOnlySpan<byte> header = input.Slice(at, headerBytes);
        if (Crc32.Of(header.Slice(0, headerBytes - 4)) != Bytes.U32(header, headerBytes - 4))
        {
            return UnpackResult.Corrupt;
        }

        UnpackResult filters = ReadFilters(header.Slice(0, headerBytes - 4), out bool hasX86);
        if (filters != UnpackResult.Done)
        {
            return filters;
        }

        at += headerBytes;
        int dataStart = at;
        int outputStart = written;
        UnpackResult result = Lzma2.Unpack(input.Slice(at), output, ref written, out int used);
        if (result != UnpackResult.Done)
        {
            return result;
        }

        at = dataStart + ((used + 3) & ~3);
        Span<byte> block = output.Slice(outputStart, written - outputStart);
        if (hasX86)
        {
            X86BranchFilter.Undo(block);
        }

        if (check == CheckCrc32)
        {
            if (at > input.Length - 4)
            {
                return UnpackResult.Truncated;
            }

            if (Bytes.U32(input, at) != Crc32.Of(block))
            {
                return UnpackResult.Corrupt;
            }

            at += 4;
        }

        return UnpackResult.Done;
    }

    private static UnpackResult ReadFilters(ReadOnlySpan<byte> header, out bool hasX86)
    {
        const byte HasCompressedSize = 0x40;
        const byte HasUncompressedSize = 0x80;
        hasX86 = false;
        byte flags = header[1];
        int filters = (flags & 3) + 1;
        int at = 2;
        if ((flags & 0x3C) != 0)
        {
            return UnpackResult.Unsupported;
        }

        if (((flags & HasCompressedSize) != 0 && !TryNumber(header, ref at, out _)) || ((flags & HasUncompressedSize) != 0 && !TryNumber(header, ref at, out _)))
        {
            return UnpackResult.Corrupt;
        }

        for (int i = 0; i < filters; i++)
        {
            if (!TryNumber(header, ref at, out ulong id) || !TryNumber(header, ref at, out ulong propertyBytes) || propertyBytes > (ulong)(header.Length - at))
            {
                return UnpackResult.Corrupt;
            }

            bool isLast = i == filters - 1;
            bool isX86 = id == FilterX86 && !isLast && !hasX86 && propertyBytes == 0;
            if (!isX86 && !(id == FilterLzma2 && isLast))
            {
                return UnpackResult.Unsupported;
            }

            hasX86 |= isX86;
            at += (int)propertyBytes;
        }

        return UnpackResult.Done;
    }

    /// <summary>7 bits a byte, least significant first, the top bit set on all but the last.</summary>
    private static bool TryNumber(ReadOnlySpan<byte> bytes, ref int at, out ulong number)
    {
        number = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            if (at >= bytes.Length)
            {
                return false;
            }

            byte next = bytes[at++];
            number |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }
}
