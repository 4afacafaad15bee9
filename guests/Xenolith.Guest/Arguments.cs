// The guest's command line.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Words of the form name=number.</summary>
internal static unsafe class Arguments
{
    /// <summary>The number of a name, or <paramref name="otherwise"/> when it is not there.</summary>
    internal static ulong Number(ReadOnlySpan<byte> name, ulong otherwise)
    {
        ReadOnlySpan<byte> line = new(Memory.StartInfo + StartInfoLayout.CommandLine, StartInfoLayout.CommandLineBytes);
        for (int at = 0; at + name.Length < line.Length && line[at] != 0; at++)
        {
            bool isWord = at == 0 || line[at - 1] == (byte)' ';
            if (isWord && line.Slice(at, name.Length).SequenceEqual(name) && line[at + name.Length] == (byte)'=')
            {
                return Parse(line.Slice(at + name.Length + 1));
            }
        }

        return otherwise;
    }

    private static ulong Parse(ReadOnlySpan<byte> text)
    {
        ulong value = 0;
        for (int i = 0; i < text.Length && text[i] is >= (byte)'0' and <= (byte)'9'; i++)
        {
            value = (value * 10) + (ulong)(text[i] - '0');
        }

        return value;
    }
}
