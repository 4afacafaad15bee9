// One line of output at a time.
using System.Runtime.CompilerServices;
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>
/// Collects a line and gives it to the console hypercall as a whole, so that nothing comes in between; to the console's ring where the
/// hypercall is refused.
/// </summary>
internal static unsafe class Text
{
    private static Buffer s_buffer;
    private static int s_length;

    internal static void Write(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            Put(text[i]);
        }
    }

    internal static void Write(byte* text)
    {
        while (*text != 0)
        {
            Put(*text++);
        }
    }

    internal static void Hex(ulong value)
    {
        Write("0x"u8);
        int shift = 60;
        while (shift > 0 && value >> shift == 0)
        {
            shift -= 4;
        }

        for (; shift >= 0; shift -= 4)
        {
            Put("0123456789abcdef"u8[(int)(value >> shift) & 15]);
        }
    }

    internal static void Decimal(long value)
    {
        if (value < 0)
        {
            Put((byte)'-');
            value = -value;
        }

        if (value > 9)
        {
            Decimal(value / 10);
        }

        Put((byte)('0' + (value % 10)));
    }

    internal static void EndLine()
    {
        Put((byte)'\n');
        fixed (byte* start = &Unsafe.As<Buffer, byte>(ref s_buffer))
        {
            if (Xen.Call(HypercallNumber.ConsoleIo, 0, (ulong)s_length, (ulong)start) != 0)
            {
                ConsoleRing.Write(start, s_length);
            }
        }

        s_length = 0;
    }

    private static void Put(byte letter)
    {
        if (s_length < Buffer.Size)
        {
            Unsafe.Add(ref Unsafe.As<Buffer, byte>(ref s_buffer), s_length++) = letter;
        }
    }

    [InlineArray(Size)]
    private struct Buffer
    {
        internal const int Size = 512;
        private byte _first;
    }
}
