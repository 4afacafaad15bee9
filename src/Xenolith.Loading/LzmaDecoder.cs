// The LZMA algorithm.
using System.Runtime.CompilerServices;

namespace Xenolith.Loading;

/// <summary>
/// Decodes one chunk at a time (LZMA specification, I. Pavlov). The output is the dictionary. Everything that the inner loops touch
/// is a local of <see cref="TryDecode"/>: unpacking the kernel is the longest single piece of work at boot.
/// </summary>
internal ref struct LzmaDecoder
{
    internal const int ProbabilityCount = Literals + (0x300 << MaximumLiteralBits);

    private const int MaximumLiteralBits = 4;
    private const int States = 12;
    private const int PositionStates = 16;
    private const int IsMatch = 0;
    private const int IsRep0Long = IsMatch + (States * PositionStates);
    private const int IsRep = IsRep0Long + (States * PositionStates);
    private const int IsRepG0 = IsRep + States;
    private const int IsRepG1 = IsRepG0 + States;
    private const int IsRepG2 = IsRepG1 + States;
    private const int PositionSlots = IsRepG2 + States;
    private const int SpecialPositions = PositionSlots + (4 * 64);
    private const int Align = SpecialPositions + 128;
    private const int MatchLength = Align + 16;
    private const int RepLength = MatchLength + LengthProbabilities;
    private const int Literals = RepLength + LengthProbabilities;

    // Within a length coder.
    private const int LengthProbabilities = LengthHigh + 256;
    private const int LengthChoice2 = 1;
    private const int LengthLow = 2;
    private const int LengthMiddle = LengthLow + (PositionStates * 8);
    private const int LengthHigh = LengthMiddle + (PositionStates * 8);

    private const ushort InitialProbability = 1024;
    private const uint RangeTop = 1 << 24;
    private const int MinimumLength = 2;
    private const int FirstMatchedState = 7;

    private readonly Span<ushort> _probabilities;
    private int _literalContextBits;
    private uint _literalPositionMask;
    private uint _positionMask;
    private uint _state;
    private uint _rep0;
    private uint _rep1;
    private uint _rep2;
    private uint _rep3;

    internal LzmaDecoder(Span<ushort> probabilities, int dictionaryStart)
    {
        _probabilities = probabilities;
        DictionaryStart = dictionaryStart;
    }

    /// <summary>Where the dictionary begins in the output: no match may reach before it.</summary>
    internal int DictionaryStart { get; set; }

    /// <summary>lc, lp and pb in one byte; false when LZMA2 does not allow them.</summary>
    internal bool TrySetProperties(byte properties)
    {
        if (properties >= 9 * 5 * 5)
        {
            return false;
        }

        int context = properties % 9;
        int rest = properties / 9;
        int position = rest % 5;
        _literalContextBits = context;
        _literalPositionMask = (1u << position) - 1;
        _positionMask = (1u << (rest / 5)) - 1;
        return context + position <= MaximumLiteralBits;
    }

    internal void Reset()
    {
        _state = 0;
        _rep0 = 0;
        _rep1 = 0;
        _rep2 = 0;
        _rep3 = 0;
        _probabilities.Fill(InitialProbability);
    }

    /// <summary>Fills <paramref name="output"/> from <paramref name="start"/> to its end; false when the data is corrupt.</summary>
    internal bool TryDecode(ReadOnlySpan<byte> input, Span<byte> output, int start)
    {
        const int RangeCoderBytes = 5;
        if (input.Length < RangeCoderBytes || input[0] != 0)
        {
            return false;
        }

        Span<ushort> probabilities = _probabilities;
        uint range = uint.MaxValue;
        uint code = ((uint)input[1] << 24) | ((uint)input[2] << 16) | ((uint)input[3] << 8) | input[4];
        int next = RangeCoderBytes;
        int at = start;
        uint state = _state;
        uint rep0 = _rep0;
        uint rep1 = _rep1;
        uint rep2 = _rep2;
        uint rep3 = _rep3;
        uint positionMask = _positionMask;
        uint literalPositionMask = _literalPositionMask;
        int literalContextBits = _literalContextBits;
        uint dictionaryStart = (uint)DictionaryStart;
        while (at < output.Length)
        {
            uint position = (uint)at - dictionaryStart;
            uint positionState = position & positionMask;
            if (Bit(ref probabilities[IsMatch + (int)((state * PositionStates) + positionState)], ref range, ref code, input, ref next) == 0)
            {
                uint previous = position == 0 ? 0u : output[at - 1];
                uint context = ((position & literalPositionMask) << literalContextBits) + (previous >> (8 - literalContextBits));
                Span<ushort> literal = probabilities.Slice(Literals + (int)(context * 0x300), 0x300);
                uint symbol = 1;
                if (state >= FirstMatchedState)
                {
                    uint match = output[at - (int)rep0 - 1];
                    uint offset = 0x100;
                    do
                    {
                        match <<= 1;
                        uint matchBit = match & offset;
                        uint bit = Bit(ref literal[(int)(offset + matchBit + symbol)], ref range, ref code, input, ref next);
                        symbol = (symbol << 1) | bit;
                        offset &= bit != 0 ? matchBit : ~matchBit;
                    }
                    while (symbol < 0x100);
                }
                else
                {
                    do
                    {
                        symbol = (symbol << 1) | Bit(ref literal[(int)symbol], ref range, ref code, input, ref next);
                    }
                    while (symbol < 0x100);
                }

                output[at++] = (byte)symbol;
                state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
                continue;
            }

            int lengths;
            if (Bit(ref probabilities[IsRep + (int)state], ref range, ref code, input, ref next) == 0)
            {
                rep3 = rep2;
                rep2 = rep1;
                rep1 = rep0;
                state = state < FirstMatchedState ? 7u : 10u;
                lengths = MatchLength;
            }
            else
            {
                if (Bit(ref probabilities[IsRepG0 + (int)state], ref range, ref code, input, ref next) == 0)
                {
                    if (Bit(ref probabilities[IsRep0Long + (int)((state * PositionStates) + positionState)], ref range, ref code, input, ref next) == 0)
                    {
                        if (rep0 >= position)
                        {
                            return false;
                        }

                        output[at] = output[at - (int)rep0 - 1];
                        at++;
                        state = state < FirstMatchedState ? 9u : 11u;
                        continue;
                    }
                }
                else
                {
                    uint distance;
                    if (Bit(ref probabilities[IsRepG1 + (int)state], ref range, ref code, input, ref next) == 0)
                    {
                        distance = rep1;
                    }
                    else
                    {
                        if (Bit(ref probabilities[IsRepG2 + (int)state], ref range, ref code, input, ref next) == 0)
                        {
                            distance = rep2;
                        }
                        else
                        {
                            distance = rep3;
                            rep3 = rep2;
                        }

                        rep2 = rep1;
                    }

                    rep1 = rep0;
                    rep0 = distance;
                }

                state = state < FirstMatchedState ? 8u : 11u;
                lengths = RepLength;
            }

            uint length = Length(probabilities.Slice(lengths, LengthProbabilities), positionState, ref range, ref code, input, ref next);
            if (lengths == MatchLength)
            {
                rep0 = Distance(probabilities, length, ref range, ref code, input, ref next);
            }

            // Also catches the end marker of plain LZMA (distance 2^32 - 1), which LZMA2 does not have.
            uint count = length + MinimumLength;
            if (rep0 >= position || count > (uint)(output.Length - at))
            {
                return false;
            }

            History.Repeat(output, at, (int)rep0 + 1, (int)count);
            at += (int)count;
        }

        _state = state;
        _rep0 = rep0;
        _rep1 = rep1;
        _rep2 = rep2;
        _rep3 = rep3;
        if (range < RangeTop)
        {
            code = (code << 8) | (next < input.Length ? input[next] : 0u);
            next++;
        }

        // A sound chunk uses its input to the last byte and leaves the coder at zero.
        return code == 0 && next == input.Length;
    }

    private static uint Length(Span<ushort> coder, uint positionState, ref uint range, ref uint code, ReadOnlySpan<byte> input, ref int next)
    {
        if (Bit(ref coder[0], ref range, ref code, input, ref next) == 0)
        {
            return Tree(coder.Slice(LengthLow + (int)(positionState * 8), 8), 3, ref range, ref code, input, ref next);
        }

        if (Bit(ref coder[LengthChoice2], ref range, ref code, input, ref next) == 0)
        {
            return 8 + Tree(coder.Slice(LengthMiddle + (int)(positionState * 8), 8), 3, ref range, ref code, input, ref next);
        }

        return 16 + Tree(coder.Slice(LengthHigh, 256), 8, ref range, ref code, input, ref next);
    }

    private static uint Distance(Span<ushort> probabilities, uint length, ref uint range, ref uint code, ReadOnlySpan<byte> input, ref int next)
    {
        const uint FirstDirect = 14;
        uint lengthState = Math.Min(length, 3u);
        uint slot = Tree(probabilities.Slice(PositionSlots + (int)(lengthState * 64), 64), 6, ref range, ref code, input, ref next);
        if (slot < 4)
        {
            return slot;
        }

        int footerBits = (int)(slot >> 1) - 1;
        uint distance = (2 | (slot & 1)) << footerBits;
        if (slot < FirstDirect)
        {
            return distance + ReverseTree(probabilities.Slice(SpecialPositions + (int)(distance - slot), 64), footerBits, ref range, ref code, input, ref next);
        }

        uint direct = 0;
        for (int i = footerBits - 4; i > 0; i--)
        {
            if (range < RangeTop)
            {
                range <<= 8;
                code = (code << 8) | (next < input.Length ? input[next] : 0u);
                next++;
            }

            range >>= 1;
            uint smaller = code - range;
            uint isOne = (smaller >> 31) - 1;
            code = smaller + (range & ~isOne);
            direct = (direct << 1) | (isOne & 1);
        }

        return distance + (direct << 4) + ReverseTree(probabilities.Slice(Align, 16), 4, ref range, ref code, input, ref next);
    }

    private static uint Tree(Span<ushort> tree, int bits, ref uint range, ref uint code, ReadOnlySpan<byte> input, ref int next)
    {
        uint symbol = 1;
        for (int i = 0; i < bits; i++)
        {
            symbol = (symbol << 1) | Bit(ref tree[(int)symbol], ref range, ref code, input, ref next);
        }

        return symbol - (1u << bits);
    }

    private static uint ReverseTree(Span<ushort> tree, int bits, ref uint range, ref uint code, ReadOnlySpan<byte> input, ref int next)
    {
        uint symbol = 1;
        uint value = 0;
        for (int i = 0; i < bits; i++)
        {
            uint bit = Bit(ref tree[(int)symbol], ref range, ref code, input, ref next);
            symbol = (symbol << 1) | bit;
            value |= bit << i;
        }

        return value;
    }

    /// <summary>One adaptive bit. Input beyond the end reads as zero; the end of the chunk then does not fit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bit(ref ushort probability, ref uint range, ref uint code, ReadOnlySpan<byte> input, ref int next)
    {
        if (range < RangeTop)
        {
            range <<= 8;
            code = (code << 8) | (next < input.Length ? input[next] : 0u);
            next++;
        }

        uint chance = probability;
        uint bound = (range >> 11) * chance;
        if (code < bound)
        {
            range = bound;
            probability = (ushort)(chance + ((2048 - chance) >> 5));
            return 0;
        }

        range -= bound;
        code -= bound;
        probability = (ushort)(chance - (chance >> 5));
        return 1;
    }
}
