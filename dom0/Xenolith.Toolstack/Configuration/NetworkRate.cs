// How fast a network interface may send.
using System.Globalization;

namespace Xenolith.Toolstack.Configuration;

/// <summary>A limit on what an interface sends: so many bytes in each interval.</summary>
/// <param name="BytesPerInterval">Credit that each interval brings.</param>
/// <param name="IntervalMicroseconds">The length of an interval.</param>
public sealed record NetworkRate(ulong BytesPerInterval, ulong IntervalMicroseconds)
{
    private const ulong DefaultInterval = 50_000;
    private const ulong MicrosecondsPerSecond = 1_000_000;

    /// <summary>Reads a rate such as <c>10Mb/s</c>, <c>1MB/s@20ms</c>: b for bits, B for bytes, G, M and K for powers of 1000.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static NetworkRate Parse(string text)
    {
        int at = text.IndexOf('@', StringComparison.Ordinal);
        string rate = at < 0 ? text : text[..at];
        ulong interval = at < 0 ? DefaultInterval : Interval(text[(at + 1)..]) ?? throw Wrong(text);
        if (!rate.EndsWith("/s", StringComparison.Ordinal))
        {
            throw Wrong(text);
        }

        rate = rate[..^2];
        int digits = 0;
        while (digits < rate.Length && char.IsAsciiDigit(rate[digits]))
        {
            digits++;
        }

        (ulong unit, ulong divisor) = rate[digits..] switch
        {
            "GB" => (1_000_000_000UL, 1UL),
            "MB" => (1_000_000UL, 1UL),
            "KB" => (1_000UL, 1UL),
            "B" => (1UL, 1UL),
            "Gb" => (1_000_000_000UL, 8UL),
            "Mb" => (1_000_000UL, 8UL),
            "Kb" => (1_000UL, 8UL),
            "b" => (1UL, 8UL),
            _ => throw Wrong(text),
        };
        if (!ulong.TryParse(rate.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) || number > ulong.MaxValue / unit)
        {
            throw Wrong(text);
        }

        UInt128 bytes = (UInt128)(number * unit / divisor) * interval / MicrosecondsPerSecond;
        return bytes > 0 && bytes <= uint.MaxValue ? new NetworkRate((ulong)bytes, interval) : throw Wrong(text);
    }

    private static ulong? Interval(string text)
    {
        (string unit, ulong factor) = text switch
        {
            _ when text.EndsWith("us", StringComparison.Ordinal) => ("us", 1UL),
            _ when text.EndsWith("ms", StringComparison.Ordinal) => ("ms", 1000UL),
            _ => ("s", MicrosecondsPerSecond),
        };
        return text.EndsWith(unit, StringComparison.Ordinal)
            && uint.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            && number > 0 && number * factor <= uint.MaxValue
            ? number * factor
            : null;
    }

    private static FormatException Wrong(string text)
        => new($"the rate '{text}' is none: write a number, a unit and /s, and an interval if need be, as in 10Mb/s or 1MB/s@20ms; it has to give at least one byte an interval");
}
