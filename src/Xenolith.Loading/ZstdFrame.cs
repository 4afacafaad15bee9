// What a Zstandard frame keeps from block to block.
namespace Xenolith.Loading;

/// <summary>Tables, repeated offsets, and where the frame begins in the output. A new frame starts with a new one.</summary>
internal ref struct ZstdFrame
{
    internal readonly Span<byte> Literals;
    internal readonly Span<ushort> Huffman;
    internal ZstdCode LiteralLengths;
    internal ZstdCode Offsets;
    internal ZstdCode MatchLengths;
    internal bool HasHuffman;

    /// <summary>The last three offsets, the latest first.</summary>
    internal uint Offset1 = 1;
    internal uint Offset2 = 4;
    internal uint Offset3 = 8;

    internal ZstdFrame(Span<byte> literals, Span<ushort> huffman, Span<ulong> literalLengths, Span<ulong> offsets, Span<ulong> matchLengths, int start)
    {
        Literals = literals;
        Huffman = huffman;
        LiteralLengths = new ZstdCode(literalLengths);
        Offsets = new ZstdCode(offsets);
        MatchLengths = new ZstdCode(matchLengths);
        Start = start;
    }

    /// <summary>Where the frame's output begins: no match may reach before it.</summary>
    internal readonly int Start { get; }
}
