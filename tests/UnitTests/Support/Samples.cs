// Inputs for the decoders.
using System.Text;

namespace Xenolith.UnitTests.Support;

/// <summary>Repeatable data of different kinds.</summary>
internal static class Samples
{
    internal static byte[] Random(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Text with many repeats near and far.</summary>
    internal static byte[] Text(int length, int seed)
    {
        Random random = new(seed);
        StringBuilder text = new();
        while (text.Length < length)
        {
            text.Append("frame ").Append(random.Next(5000)).Append(random.Next(3) == 0 ? " is a page table of domain " : " belongs to ").Append(random.Next(9)).Append('\n');
        }

        return Encoding.ASCII.GetBytes(text.ToString()[..length]);
    }

    /// <summary>Bytes that look like x86 code: calls and jumps everywhere, so that the branch filter has work.</summary>
    internal static byte[] Code(int length, int seed)
    {
        Random random = new(seed);
        byte[] bytes = Random(length, seed);
        for (int at = 0; at + 8 < length; at += random.Next(1, 9))
        {
            bytes[at] = (byte)(0xE8 + random.Next(2));
            bytes[at + 4] = random.Next(3) switch { 0 => (byte)0, 1 => (byte)0xFF, _ => bytes[at + 4] };
        }

        return bytes;
    }

    /// <summary>Independent bytes of some values, the lower ones more often: for entropy codes, not for matches.</summary>
    internal static byte[] Skewed(int length, int seed, int values)
    {
        Random random = new(seed);
        byte[] bytes = new byte[length];
        for (int at = 0; at < length; at++)
        {
            bytes[at] = (byte)(values * random.NextDouble() * random.NextDouble() * random.NextDouble());
        }

        return bytes;
    }

    /// <summary>Runs of all lengths that repeat what stands 1 to 20 bytes back: matches that overlap themselves.</summary>
    internal static byte[] Pattern(int length, int seed)
    {
        Random random = new(seed);
        byte[] bytes = Random(length, seed);
        for (int at = 20; at < length; at += random.Next(1, 12))
        {
            int distance = random.Next(1, 21);
            for (int run = random.Next(4, random.Next(5, 300)); run > 0 && at < length; run--, at++)
            {
                bytes[at] = bytes[at - distance];
            }
        }

        return bytes;
    }
}
