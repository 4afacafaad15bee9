// Free frames of the machine: a buddy allocator whose lists live in the frame table.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>Blocks of 2^order contiguous frames, aligned to their size. A free block's first frame carries its order and its links.</summary>
public static class FrameAllocator
{
    /// <summary>Largest order: 1 GiB.</summary>
    public const int MaximumOrder = 18;

    private const ulong NoFrame = 0xFFFF_FFFF;
    private const ulong HeadBit = 1 << 23;

    private static Heads s_heads;
    private static bool s_ready;

    public static ulong FreeFrames { get; private set; }

    public static ulong TotalFrames { get; private set; }

    /// <summary>Free frames that are kept back for certain domains.</summary>
    public static ulong StakedFrames { get; internal set; }

    public static void Initialize()
    {
        for (int order = 0; order <= MaximumOrder; order++)
        {
            s_heads[order] = NoFrame;
        }

        s_ready = true;
        FreeFrames = 0;
        TotalFrames = 0;
        StakedFrames = 0;
    }

    /// <summary>Adds a range of RAM that nobody uses.</summary>
    public static void AddRange(Mfn first, ulong count)
    {
        ulong at = first.Value;
        ulong end = Math.Min(first.Value + count, FrameTable.Count);
        TotalFrames += end > at ? end - at : 0;
        while (at < end)
        {
            int order = MaximumOrder;
            while ((at & ((1UL << order) - 1)) != 0 || at + (1UL << order) > end)
            {
                order--;
            }

            for (ulong i = 0; i < 1UL << order; i++)
            {
                FrameTable.At(new Mfn(at + i)).Assign(FrameInfo.FreeOwner, false);
            }

            Free(new Mfn(at), order);
            at += 1UL << order;
        }
    }

    /// <summary>Takes 2^order contiguous frames that lie below 2^<paramref name="addressBits"/> bytes; their contents are undefined.</summary>
    public static bool TryAllocate(int order, int addressBits, out Mfn first)
    {
        LockOrder.AssertHeld();

        // What another processor's guest may still reach was freed with a request for a flush there.
        TlbClock.SettleElsewhere();
        ulong limit = addressBits >= 52 ? ulong.MaxValue : 1UL << Math.Max(addressBits - 12, 0);
        for (int from = order; s_ready && from <= MaximumOrder; from++)
        {
            for (ulong block = s_heads[from]; block != NoFrame; block = Next(block))
            {
                if (block + (1UL << order) > limit)
                {
                    continue;
                }

                Remove(block, from);
                for (int split = from; split > order; split--)
                {
                    Insert(block + (1UL << (split - 1)), split - 1);
                }

                FreeFrames -= 1UL << order;
                first = new Mfn(block);
                return true;
            }
        }

        first = Mfn.Invalid;
        return false;
    }

    /// <summary>Gives 2^order frames back and merges them with their free neighbours.</summary>
    public static void Free(Mfn first, int order)
    {
        LockOrder.AssertHeld();
        ulong block = first.Value;
        FreeFrames += 1UL << order;
        for (ulong i = 0; i < 1UL << order; i++)
        {
            FrameTable.At(new Mfn(block + i)).Assign(FrameInfo.FreeOwner, false);
        }

        while (order < MaximumOrder)
        {
            ulong buddy = block ^ (1UL << order);
            if (buddy + (1UL << order) > FrameTable.Count || !IsHead(buddy, order))
            {
                break;
            }

            Remove(buddy, order);
            block &= ~(1UL << order);
            order++;
        }

        Insert(block, order);
    }

    private static bool IsHead(ulong block, int order)
    {
        ref FrameInfo info = ref FrameTable.At(new Mfn(block));
        return info.Owner == FrameInfo.FreeOwner && (info.OwnerWord & HeadBit) != 0 && ((info.OwnerWord >> 16) & 31) == (ulong)order;
    }

    private static ulong Next(ulong block) => FrameTable.At(new Mfn(block)).TypeWord & NoFrame;

    private static void Insert(ulong block, int order)
    {
        ulong next = s_heads[order];
        ref FrameInfo info = ref FrameTable.At(new Mfn(block));
        info.OwnerWord = FrameInfo.FreeOwner | ((ulong)order << 16) | HeadBit | (NoFrame << 32);
        info.TypeWord = next;
        if (next != NoFrame)
        {
            SetPrevious(next, block);
        }

        s_heads[order] = block;
    }

    private static void Remove(ulong block, int order)
    {
        ref FrameInfo info = ref FrameTable.At(new Mfn(block));
        ulong next = info.TypeWord & NoFrame;
        ulong previous = info.OwnerWord >> 32;
        if (previous == NoFrame)
        {
            s_heads[order] = next;
        }
        else
        {
            FrameTable.At(new Mfn(previous)).TypeWord = next;
        }

        if (next != NoFrame)
        {
            SetPrevious(next, previous);
        }

        info.Assign(FrameInfo.FreeOwner, false);
    }

    private static void SetPrevious(ulong block, ulong previous)
    {
        ref FrameInfo info = ref FrameTable.At(new Mfn(block));
        info.OwnerWord = (info.OwnerWord & NoFrame) | (previous << 32);
    }

    [InlineArray(MaximumOrder + 1)]
    private struct Heads
    {
        private ulong _first;
    }
}
