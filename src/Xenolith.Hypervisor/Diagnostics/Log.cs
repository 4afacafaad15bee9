// The hypervisor's log: one fact per line, to the console and the console ring.
using Xenolith.Hypervisor.Console;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>
/// Builds one line: <c>Log.Line("mm"u8).Text("free "u8).Decimal(n).Text(" MiB"u8).End()</c> prints "[mm] free 12 MiB".
/// Text goes out in pieces; nothing is allocated.
/// </summary>
public readonly struct Log
{
    /// <summary>Begins a line with the subsystem's name in brackets.</summary>
    public static Log Line(ReadOnlySpan<byte> subsystem)
    {
        ConsoleOutput.Write("["u8);
        ConsoleOutput.Write(subsystem);
        ConsoleOutput.Write("] "u8);
        return default;
    }

    /// <summary>Begins a line without a subsystem.</summary>
    public static Log Plain() => default;

    public Log Text(ReadOnlySpan<byte> text)
    {
        ConsoleOutput.Write(text);
        return this;
    }

    public Log Decimal(ulong value)
    {
        Span<byte> digits = stackalloc byte[20];
        int at = digits.Length;
        do
        {
            digits[--at] = (byte)('0' + (value % 10));
            value /= 10;
        }
        while (value != 0);
        ConsoleOutput.Write(digits[at..]);
        return this;
    }

    public Log Decimal(long value)
    {
        if (value < 0)
        {
            ConsoleOutput.Write("-"u8);
            return Decimal((ulong)-value);
        }

        return Decimal((ulong)value);
    }

    /// <summary>Hexadecimal with 0x, at least <paramref name="digits"/> digits.</summary>
    public Log Hex(ulong value, int digits = 1)
    {
        ReadOnlySpan<byte> alphabet = "0123456789abcdef"u8;
        Span<byte> text = stackalloc byte[18];
        int at = text.Length;
        do
        {
            text[--at] = alphabet[(int)(value & 15)];
            value >>= 4;
            digits--;
        }
        while (value != 0 || digits > 0);
        text[--at] = (byte)'x';
        text[--at] = (byte)'0';
        ConsoleOutput.Write(text[at..]);
        return this;
    }

    public void End() => ConsoleOutput.Write("\n"u8);
}
