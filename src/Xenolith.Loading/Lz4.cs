// lz4 files as Linux kernels are packed with it.
namespace Xenolith.Loading;

/// <summary>
/// The legacy frame of the LZ4 frame format 1.6 around blocks of the LZ4 block format. Nothing in it is checksummed, and the end of the
/// input is its end: the caller has to know how long the result is.
/// </summary>
internal static class Lz4
{
    private const uint Magic = 0x184C_2102;
    private const int MaximumBlockBytes = 8 << 20;
    private const int MaximumPackedBytes = MaximumBlockBytes + (MaximumBlockBytes / 255) + 16;
    private const int MinimumMatch = 4;
    private const int LengthGoesOn = 15;

    internal static bool IsMagic(ReadOnlySpan<byte> input) => input.Length >= 4 && Bytes.U32(input, 0) == Magic;

    /// <summary>Unpacks into <paramref name="output"/>; <paramref name="written"/> is the length of the result.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        written = 0;
        if (input.Length < 4)
        {
            return UnpackResult.Truncated;
        }

        if (!IsMagic(input))
        {
            return UnpackResult.Corrupt;
        }

        int at = 4;
        while (at < input.Length)
        {
            if (input.Length - at < 4)
            {
                return UnpackResult.Truncated;
            }

            uint bytes = Bytes.U32(input, at);
            at += 4;
            if (bytes == Magic)
            {
                continue;
            }

            if (bytes is 0 or > MaximumPackedBytes)
            {
                return UnpackResult.Corrupt;
            }

            if (bytes > (uint)(input.Length - at))
            {
                return UnpackResult.Truncated;
            }

            int room = Math.Min(output.Length - written, MaximumBlockBytes);
            UnpackResult result = Block(input.Slice(at, (int)bytes), output.Slice(written, room), out int unpacked);
            written += unpacked;
            at += (int)bytes;
            if (result != UnpackResult.Done)
            {
                return result == UnpackResult.TooBig && room == MaximumBlockBytes ? UnpackResult.Corrupt : result;
            }
        }

        return UnpackResult.Done;
    }

    private static UnpackResult Block(ReadOnlySpan<byte> input, Span<byte> output, out int written)
    {
        int next = 0;
        int at = 0;
        written = 0;
        while (next < input.Length)
        {
            int token = input[next++];
            int literals = token >> 4;
            if (literals == LengthGoesOn && !TryReadLength(input, ref next, ref literals))
            {
                return UnpackResult.Corrupt;
            }

            if (literals > input.Length - next)
            {
                return UnpackResult.Corrupt;
            }

            if (literals > output.Length - at)
            {
                return UnpackResult.TooBig;
            }

            History.Append(output, at, input, next, literals);
            next += literals;
            at += literals;
            written = at;
            if (next == input.Length)
            {
                // The last sequence of a block is literals alone.
                return UnpackResult.Done;
            }

            if (input.Length - next < 2)
            {
                return UnpackResult.Corrupt;
            }

            int distance = Bytes.U16(input, next);
            next += 2;
            int length = token & 15;
            if (length == LengthGoesOn && !TryReadLength(input, ref next, ref length))
            {
                return UnpackResult.Corrupt;
            }

            length += MinimumMatch;
            if (distance == 0 || distance > at)
            {
                return UnpackResult.Corrupt;
            }

            if (length > output.Length - at)
            {
                return UnpackResult.TooBig;
            }

            History.Repeat(output, at, distance, length);
            at += length;
            written = at;
        }

        return UnpackResult.Corrupt;
    }

    /// <summary>Adds bytes up to the first that is not 255; false at the end of the input, and when no block is that long.</summary>
    private static bool TryReadLength(ReadOnlySpan<byte> input, ref int next, ref int length)
    {
        byte more;
        do
        {
            if (next >= input.Length || length > MaximumBlockBytes)
            {
                return false;
            }

            more = input[next++];
            length += more;
        }
        while (more == 255);
        return true;
    }
}
