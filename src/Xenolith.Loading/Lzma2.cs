// The LZMA2 container: chunks of LZMA data or of stored bytes.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>Splits LZMA2 data into its chunks (.xz file format, 5.3.1) and keeps the decoder's state between them.</summary>
internal static class Lzma2
{
    private const byte EndMarker = 0x00;
    private const byte StoredWithReset = 0x01;
    private const byte Stored = 0x02;
    private const byte FirstLzma = 0x80;
    private const byte ResetState = 0xA0;
    private const byte ResetProperties = 0xC0;
    private const byte ResetDictionary = 0xE0;

    private static Probabilities s_probabilities;

    /// <summary>Unpacks all chunks; <paramref name="used"/> counts input bytes, the end marker included.</summary>
    internal static UnpackResult Unpack(ReadOnlySpan<byte> input, Span<byte> output, ref int written, out int used)
    {
        LzmaDecoder decoder = new(s_probabilities, written);
        bool needsDictionary = true;
        bool needsProperties = true;
        used = 0;
        while (true)
        {
            if (used >= input.Length)
            {
                return UnpackResult.Truncated;
            }

            byte control = input[used];
            if (control == EndMarker)
            {
                used++;
                return UnpackResult.Done;
            }

            bool resetsDictionary = control is StoredWithReset or >= ResetDictionary;
            int headerBytes = control < FirstLzma ? 3 : control >= ResetProperties ? 6 : 5;
            if ((control > Stored && control < FirstLzma) || (needsDictionary && !resetsDictionary))
            {
                return UnpackResult.Corrupt;
            }

            if (input.Length - used < headerBytes)
            {
                return UnpackResult.Truncated;
            }

            needsDictionary = false;
            if (resetsDictionary)
            {
                decoder.DictionaryStart = written;
            }

            int unpacked = ((input[used + 1] << 8) | input[used + 2]) + 1;
            UnpackResult result;
            if (control < FirstLzma)
            {
                used += headerBytes;
                result = CopyStored(input, ref used, output, ref written, unpacked);
            }
            else
            {
                unpacked += (control & 0x1F) << 16;
                int packed = ((input[used + 3] << 8) | input[used + 4]) + 1;
                if (control >= ResetProperties)
                {
                    needsProperties = !decoder.TrySetProperties(input[used + 5]);
                }

                if (needsProperties)
                {
                    return UnpackResult.Corrupt;
                }

                if (control >= ResetState)
                {
                    decoder.Reset();
                }

                used += headerBytes;
                result = Chunk(ref decoder, input, ref used, packed, output, ref written, unpacked);
            }

            if (result != UnpackResult.Done)
            {
                return result;
            }
        }
    }

    private static UnpackResult CopyStored(ReadOnlySpan<byte> input, ref int used, Span<byte> output, ref int written, int bytes)
    {
        if (bytes > input.Length - used)
        {
            return UnpackResult.Truncated;
        }

        if (bytes > output.Length - written)
        {
            return UnpackResult.TooBig;
        }

        input.Slice(used, bytes).CopyTo(output.Slice(written));
        used += bytes;
        written += bytes;
        return UnpackResult.Done;
    }

    private static UnpackResult Chunk(
        ref LzmaDecoder decoder, ReadOnlySpan<byte> input, ref int used, int packed, Span<byte> output, ref int written, int unpacked)
    {
        if (packed > input.Length - used)
        {
            return UnpackResult.Truncated;
        }

        if (unpacked > output.Length - written)
        {
            return UnpackResult.TooBig;
        }

        if (!decoder.TryDecode(input.Slice(used, packed), output.Slice(0, written + unpacked), written))
        {
            return UnpackResult.Corrupt;
        }

        used += packed;
        written += unpacked;
        return UnpackResult.Done;
    }

    [InlineArray(LzmaDecoder.ProbabilityCount)]
    private struct Probabilities
    {
        private ushort _first;
    }
}
