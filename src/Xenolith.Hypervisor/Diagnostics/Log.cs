// The hypervisor's log: one fact per line, to the console and the console ring.
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Options;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>
/// Builds one line: <c>Log.Line("mm"u8).Text("free "u8).Decimal(n).Text(" MiB"u8).End()</c> prints "[mm] free 12 MiB".
/// Text goes out in pieces; nothing is allocated. The option loglvl silences lines of a lower level than it names.
/// </summary>
public readonly struct Log
{
    private readonly bool _isSilent;

    private Log(bool isSilent) => _isSilent = isSilent;

    /// <summary>Begins a line of information with the subsystem's name in brackets.</summary>
    public static Log Line(ReadOnlySpan<byte> subsystem) => Begin(subsystem, BootOptions.LogLevel < BootOptions.LogInformation);

    /// <summary>Begins a line about something that goes on but is not as it should be.</summary>
    public static Log Warning(ReadOnlySpan<byte> subsystem) => Begin(subsystem, BootOptions.LogLevel < BootOptions.LogWarning);

    /// <summary>Begins a line of information about what a guest did; guest_loglvl silences it.</summary>
    public static Log Guest(ReadOnlySpan<byte> subsystem) => Begin(subsystem, BootOptions.GuestLogLevel < BootOptions.LogInformation);

    /// <summary>Begins a line that no level silences: why something ends, and what somebody asked for by key.</summary>
    public static Log Always(ReadOnlySpan<byte> subsystem) => Begin(subsystem, false);

    /// <summary>Begins a line without a subsystem, which no level silences.</summary>
    public static Log Plain() => default;

    public Log Text(ReadOnlySpan<byte> text)
    {
        if (!_isSilent)
        {
            ConsoleOutput.Write(text);
        }

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
        return Text(digits[at..]);
    }

    public Log Decimal(long value)
    {
        if (value < 0)
        {
            return Text("-"u8).Decimal((ulong)-value);
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
        return Text(text[at..]);
    }

    public void End() => Text("\n"u8);

    private static Log Begin(ReadOnlySpan<byte> subsystem, bool isSilent) => new Log(isSilent).Text("["u8).Text(subsystem).Text("] "u8);
}
