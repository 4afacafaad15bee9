// Where in the machine's memory a domain has frames, so that its end need not look at all of them.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>A bit for each of 4096 equal parts of the frame table.</summary>
public struct FrameRegions
{
    internal const int Count = 4096;

    private const int BitsPerWord = 64;

    private Bits _bits;

    /// <summary>Notes the region of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Note(Mfn frame)
    {
        ulong region = frame.Value >> Shift;
        _bits[(int)(region / BitsPerWord) & 63] |= 1UL << (int)(region % BitsPerWord);
    }

    /// <summary>The first frame from <paramref name="from"/> on that lies in a noted region; false when there is none.</summary>
    internal readonly bool TryNext(ulong from, out Mfn frame)
    {
        for (ulong region = from >> Shift; region < Count; region++)
        {
            ulong rest = _bits[(int)(region / BitsPerWord)] >> (int)(region % BitsPerWord);
            if (rest == 0)
            {
                region |= BitsPerWord - 1;
            }
            else if ((rest & 1) != 0)
            {
                frame = new Mfn(Math.Max(from, region << Shift));
                return frame.Value < FrameTable.Count;
            }
        }

        frame = Mfn.Invalid;
        return false;
    }

    private static int Shift => FrameTable.RegionShift;

    [InlineArray(Count / BitsPerWord)]
    private struct Bits
    {
        private ulong _first;
    }
}
