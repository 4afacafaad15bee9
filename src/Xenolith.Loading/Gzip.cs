// gzip files.
namespace Xenolith.Loading;

/// <summary>One member as of RFC 1952: header, deflate data, CRC-32 and length.</summary>
internal static class Gzip
{
    private const int HeaderBytes = 10;
    private const int TrailerBytes = 8;
    private const byte HeaderCrc = 2;
    private const byte ExtraField = 4;
    private const byte FileName = 8;
    private const byte Comment = 16;

    internal static bool IsMagic(ReadOnlySpan<byte> input) => input.Length >= 3 && input[0] == 0x1F && input[1] == 0x8B && input[2] == 8;

    /// <summary>Unpacks into <paramref name="output"/>; <paramref name="written"/> is the length of the result.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        written = 0;
        if (input.Length < HeaderBytes + TrailerBytes)
        {
            return UnpackResult.Truncated;
        }

        byte flags = input[3];
        if (!IsMagic(input) || (flags & 0xE0) != 0)
        {
            return UnpackResult.Corrupt;
        }

        int at = HeaderBytes;
        if ((flags & ExtraField) != 0)
        {
            at += 2 + Bytes.U16(input, at);
        }

        if (((flags & FileName) != 0 && !TrySkipText(input, ref at)) || ((flags & Comment) != 0 && !TrySkipText(input, ref at)))
        {
            return UnpackResult.Truncated;
        }

        at += (flags & HeaderCrc) != 0 ? 2 : 0;
        if (at > input.Length - TrailerBytes)
        {
            return UnpackResult.Truncated;
        }

        UnpackResult result = Inflate.Unpack(input.Slice(at), output, out int used, out written);
        if (result != UnpackResult.Done)
        {
            return result;
        }

        at += used;
        if (at > input.Length - TrailerBytes)
        {
            return UnpackResult.Truncated;
        }

        bool matches = Bytes.U32(input, at) == Crc32.Of(output.Slice(0, written)) && Bytes.U32(input, at + 4) == (uint)written;
        return matches ? UnpackResult.Done : UnpackResult.Corrupt;
    }

    private static bool TrySkipText(ReadOnlySpan<byte> input, ref int at)
    {
        if (at > input.Length)
        {
            return false;
        }

        int end = input.Slice(at).IndexOf((byte)0);
        at += end + 1;
        return end >= 0;
    }
}
