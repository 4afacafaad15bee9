// A stream of bits, least significant first.
namespace Xenolith.Loading;

/// <summary>Reads zeros beyond the end of its input and remembers that it did.</summary>
internal ref struct BitReader
{
    private readonly ReadOnlySpan<byte> _input;
    private int _next;
    private ulong _bits;
    private int _count;
    private int _overrun;

    internal BitReader(ReadOnlySpan<byte> input) => _input = input;

    /// <summary>Bits were taken that are not there.</summary>
    internal readonly bool IsOverrun => _overrun * 8 > _count;

    /// <summary>Bytes of the input that have been used, the current one included.</summary>
    internal readonly int Position => _next - (Math.Max(_count - (_overrun * 8), 0) / 8);

    /// <summary>Takes up to 16 bits.</summary>
    internal uint Take(int bits)
    {
        Refill();
        uint value = (uint)_bits & ((1u << bits) - 1);
        _bits >>= bits;
        _count -= bits;
        return value;
    }

    /// <summary>Takes one code of a table; -1 when no code matches.</summary>
    internal int Decode(ReadOnlySpan<ushort> table)
    {
        Refill();
        int entry = table[(int)_bits & Huffman.Mask];
        if (entry == 0)
        {
            return -1;
        }

        _bits >>= entry & 15;
        _count -= entry & 15;
        return entry >> 4;
    }

    internal void AlignToByte()
    {
        _bits >>= _count & 7;
        _count &= ~7;
    }

    private void Refill()
    {
        while (_count <= 32)
        {
            byte next = 0;
            if (_next < _input.Length)
            {
                next = _input[_next++];
            }
            else
            {
                _overrun++;
            }

            _bits |= (ulong)next << _count;
            _count += 8;
        }
    }
}
