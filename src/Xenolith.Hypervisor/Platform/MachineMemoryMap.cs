// The machine's physical address space: RAM and what is not.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>
/// The firmware's E820 map, made sound: sorted, without overlaps (the less usable kind wins), RAM cut to whole frames, plus the
/// ranges of interrupt controllers. Domain 0 gets it as it is here.
/// </summary>
internal static class MachineMemoryMap
{
    /// <summary>How many ranges fit.</summary>
    internal const int Capacity = 128;

    private static Entries s_entries;

    internal static int Count { get; private set; }

    internal static E820Entry EntryAt(int index) => s_entries[index];

    internal static void Clear() => Count = 0;

    /// <summary>Whether all of the frame is RAM.</summary>
    internal static bool IsRam(Mfn frame)
    {
        for (int i = 0; i < Count; i++)
        {
            ref E820Entry entry = ref s_entries[i];
            if (entry.Type == E820Entry.Ram && frame.Address.Value >= entry.Address && frame.Address.Value + 4096 <= entry.Address + entry.Bytes)
            {
                return true;
            }
        }

        return false;
    }


    /// <summary>
    /// Adds a range, cutting out of the map whatever it overrules: a kind with a higher number is less usable and wins. False when
    /// the map is full.
    /// </summary>
    internal static bool TryAdd(ulong start, ulong bytes, uint kind)
    {
        ulong end = start + bytes;
        if (end < start)
        {
            end = ~0UL << 12;
        }

        if (kind == E820Entry.Ram)
        {
            start = (start + 4095) & ~4095UL;
            end &= ~4095UL;
        }

        if (end <= start)
        {
            return true;
        }

        return kind == E820Entry.Ram ? TryInsertWhereFree(start, end, kind) : TryCarve(start, end, kind) && TryInsertWhereFree(start, end, kind);
    }

    /// <summary>RAM cut to whole frames may leave slivers after other ranges were carved out of it: cuts them again.</summary>
    internal static void Normalize()
    {
        int kept = 0;
        for (int i = 0; i < Count; i++)
        {
            E820Entry entry = s_entries[i];
            if (entry.Type == E820Entry.Ram)
            {
                ulong end = (entry.Address + entry.Bytes) & ~4095UL;
                entry.Address = (entry.Address + 4095) & ~4095UL;
                entry.Bytes = end > entry.Address ? end - entry.Address : 0;
            }

            if (entry.Bytes != 0)
            {
                s_entries[kept++] = entry;
            }
        }

        Count = kept;
    }

    /// <summary>Cuts [start, end) out of ranges of a more usable kind.</summary>
    private static bool TryCarve(ulong start, ulong end, uint kind)
    {
        for (int i = 0; i < Count; i++)
        {
            E820Entry entry = s_entries[i];
            ulong entryEnd = entry.Address + entry.Bytes;
            if (entry.Type >= kind || entryEnd <= start || entry.Address >= end)
            {
                continue;
            }

            RemoveAt(i);
            i--;
            if (entry.Address < start && !TryInsert(++i, entry.Address, start, entry.Type))
            {
                return false;
            }

            if (entryEnd > end && !TryInsert(++i, end, entryEnd, entry.Type))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Fills the gaps of the map within [start, end).</summary>
    private static bool TryInsertWhereFree(ulong start, ulong end, uint kind)
    {
        int i = 0;
        while (start < end)
        {
            while (i < Count && s_entries[i].Address + s_entries[i].Bytes <= start)
            {
                i++;
            }

            ulong gapEnd = i < Count ? Math.Min(s_entries[i].Address, end) : end;
            if (gapEnd > start)
            {
                if (!TryInsert(i, start, gapEnd, kind))
                {
                    return false;
                }

                i++;
            }

            start = i < Count ? Math.Max(s_entries[i].Address + s_entries[i].Bytes, gapEnd) : gapEnd;
            if (gapEnd == end)
            {
                return true;
            }
        }

        return true;
    }

    private static bool TryInsert(int at, ulong start, ulong end, uint kind)
    {
        if (Count == Capacity)
        {
            return false;
        }

        for (int i = Count; i > at; i--)
        {
            s_entries[i] = s_entries[i - 1];
        }

        s_entries[at] = new E820Entry { Address = start, Bytes = end - start, Type = kind };
        Count++;
        return true;
    }

    private static void RemoveAt(int at)
    {
        Count--;
        for (int i = at; i < Count; i++)
        {
            s_entries[i] = s_entries[i + 1];
        }
    }

    [InlineArray(Capacity)]
    private struct Entries
    {
        private E820Entry _first;
    }
}
