// A disk that is made of pieces of others.
using System.Globalization;

namespace Xenolith.Toolstack.Configuration;

/// <summary>A piece of a file or block device.</summary>
/// <param name="Path">The file or block device.</param>
/// <param name="Offset">Where it begins there, in bytes.</param>
/// <param name="Length">Its bytes; null = as far as there is more.</param>
public sealed record Extent(string Path, long Offset, long? Length);

/// <summary>
/// Reads the description of a disk in the format <c>extents</c>: a line <c>PATH [OFFSET [LENGTH]]</c> for each extent, in the disk's order; numbers
/// are bytes, or end in K, M, G or T (powers of 1024), and are whole sectors of 512 bytes. Empty lines and those that begin with # say nothing.
/// </summary>
public static class ExtentList
{
    private const int SectorBytes = 512;

    /// <summary>Reads a list.</summary>
    /// <exception cref="FormatException">It is none; the message says which line is wrong and what to write.</exception>
    public static IReadOnlyList<Extent> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<Extent> extents = [];
        int number = 0;
        foreach (string line in text.Split('\n', StringSplitOptions.TrimEntries))
        {
            number++;
            if (line.Length > 0 && line[0] != '#')
            {
                extents.Add(ReadLine(line, number));
            }
        }

        return extents.Count > 0 ? extents : throw new FormatException("it lists no extent; write lines such as '/dev/sdb 0 10G'");
    }

    private static Extent ReadLine(string line, int number)
    {
        string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length > 3 || !words[0].StartsWith('/'))
        {
            throw Wrong(number, "it is no path from the root, with an offset and a length behind it");
        }

        long? length = words.Length > 2 ? BytesOf(words[2], number) : null;
        return length != 0 ? new Extent(words[0], words.Length > 1 ? BytesOf(words[1], number) : 0, length) : throw Wrong(number, "its length is zero");
    }

    private static long BytesOf(string word, int number)
    {
        const string Units = "KMGT";
        const int BitsOfUnit = 10;
        int unit = Units.IndexOf(char.ToUpperInvariant(word[^1]), StringComparison.Ordinal) + 1;
        string digits = unit > 0 ? word[..^1] : word;
        bool isNumber = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value <= long.MaxValue >> (unit * BitsOfUnit);
        value <<= isNumber ? unit * BitsOfUnit : 0;
        return isNumber && value % SectorBytes == 0 ? value : throw Wrong(number, $"'{word}' is no number of whole sectors ({SectorBytes} bytes)");
    }

    private static FormatException Wrong(int line, string problem) => new($"line {line}: {problem}; write for example '/dev/sdb 0 10G'");
}
