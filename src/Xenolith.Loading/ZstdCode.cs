// One of the three codes of Zstandard's sequences.
namespace Xenolith.Loading;

/// <summary>A table that a block sets in one of four ways (RFC 8878, 3.1.1.3.2.1).</summary>
internal ref struct ZstdCode
{
    private const int Predefined = 0;
    private const int Single = 1;
    private const int Described = 2;

    private readonly Span<ulong> _table;

    internal ZstdCode(Span<ulong> table)
    {
        _table = table;
        Accuracy = -1;
    }

    /// <summary>The binary logarithm of the number of states; -1 before the first table.</summary>
    internal int Accuracy { get; private set; }

    internal readonly ReadOnlySpan<ulong> States => _table;

    /// <summary>Sets the table by mode; the block's bytes from <paramref name="at"/> on describe it. False when they break a rule.</summary>
    internal bool TrySet(
        int mode, scoped ReadOnlySpan<byte> block, ref int at, ReadOnlySpan<uint> bases, ReadOnlySpan<byte> extras, ReadOnlySpan<short> predefined, int predefinedAccuracy)
    {
        switch (mode)
        {
            case Predefined:
                FiniteStateEntropy.Build(predefined, predefinedAccuracy, bases, extras, _table);
                Accuracy = predefinedAccuracy;
                return true;
            case Single:
                if (at >= block.Length || block[at] >= bases.Length)
                {
                    return false;
                }

                FiniteStateEntropy.BuildSingle(block[at++], bases, extras, _table);
                Accuracy = 0;
                return true;
            case Described:
                Accuracy = FiniteStateEntropy.Read(block.Slice(at), bases, extras, _table, out int used);
                at += used;
                return Accuracy >= 0;
            default:
                return Accuracy >= 0;
        }
    }
}
