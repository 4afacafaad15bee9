// What the decoders append to their output.
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>
/// Copies eight bytes at a step, beyond the end of what is asked for where the buffers go on: nearly all copies are shorter than that,
/// and what lies behind them is written later.
/// </summary>
internal static class History
{
    private const int Step = 8;
    private const int Long = 64;

    /// <summary>Appends bytes of another buffer. The caller has checked that both sides hold <paramref name="length"/> bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Append(Span<byte> output, int at, ReadOnlySpan<byte> source, int from, int length)
    {
        if (length <= Long && length <= output.Length - at - Step && length <= source.Length - from - Step)
        {
            for (int i = 0; i < length; i += Step)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(output.Slice(at + i, Step), Bytes.U64(source, from + i));
            }
        }
        else
        {
            source.Slice(from, length).CopyTo(output.Slice(at, length));
        }
    }

    /// <summary>
    /// Appends what stands <paramref name="distance"/> bytes back, which may be less than <paramref name="length"/>: then it repeats.
    /// The caller has checked that 0 &lt; distance &lt;= at and that the output holds the length.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Repeat(Span<byte> output, int at, int distance, int length)
    {
        if (distance >= Step && length <= Long && length <= output.Length - at - Step)
        {
            int back = at - distance;
            for (int i = 0; i < length; i += Step)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(output.Slice(at + i, Step), Bytes.U64(output, back + i));
            }
        }
        else
        {
            RepeatSlowly(output, at, distance, length);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RepeatSlowly(Span<byte> output, int at, int distance, int length)
    {
        // The copy doubles what it can copy from: after each step, twice as much of the pattern is there.
        while (length > distance)
        {
            output.Slice(at - distance, distance).CopyTo(output.Slice(at, distance));
            at += distance;
            length -= distance;
            distance *= 2;
        }

        output.Slice(at - distance, length).CopyTo(output.Slice(at, length));
    }
}
