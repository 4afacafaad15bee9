// What the console has said, kept for whoever comes later.
using System.Runtime.CompilerServices;

namespace Xenolith.Hypervisor.Console;

/// <summary>The last 16 KiB of output.</summary>
internal static class ConsoleRing
{
    internal const int Bytes = 16384;

    private static Storage s_bytes;

    /// <summary>Bytes written since boot; the ring holds the last <see cref="Bytes"/> of them.</summary>
    internal static ulong Produced { get; private set; }

    /// <summary>Position from which it is shown: what was cleared lies before it.</summary>
    internal static ulong Start { get; set; }

    internal static void Append(byte value)
    {
        s_bytes[(int)(Produced % Bytes)] = value;
        Produced++;
    }

    /// <summary>The byte at a position that is still in the ring.</summary>
    internal static byte At(ulong position) => s_bytes[(int)(position % Bytes)];

    [InlineArray(Bytes)]
    private struct Storage
    {
        private byte _first;
    }
}
