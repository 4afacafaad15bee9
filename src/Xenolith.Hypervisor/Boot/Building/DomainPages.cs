// The memory of a domain under construction, by page number.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Loading;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>The p2m list itself is the builder's way from page to frame: contiguous frames, later pages of the domain.</summary>
internal struct DomainPages
{
    private const int LowMemoryBits = 32;
    private const int AnyMemoryBits = 64;

    private Table<ulong> _p2m;

    /// <summary>First frame of the list.</summary>
    internal Mfn List;

    /// <summary>New frames are wiped: what stood there before is none of the domain's business.</summary>
    internal bool IsCleared;

    /// <summary>Pages filled so far.</summary>
    internal ulong Count;

    internal readonly Mfn this[ulong page] => new(_p2m[page]);

    /// <summary>Takes contiguous frames for a list of <paramref name="pages"/> entries.</summary>
    internal static bool TryCreate(ref Domain domain, ulong pages, out DomainPages result)
    {
        result = default;
        ulong frames = ((pages * 8) + 4095) >> 12;
        int order = 0;
        while (1UL << order < frames)
        {
            order++;
        }

        if (order > FrameAllocator.MaximumOrder || !DomainFrames.TryAllocate(ref domain, order, AnyMemoryBits, out result.List))
        {
            return false;
        }

        for (ulong i = frames; i < 1UL << order; i++)
        {
            DomainFrames.TryRelease(ref domain, result.List.Add(i));
        }

        result._p2m = Table<ulong>.Over(result.List, (int)(frames * 512));
        for (ulong i = 0; i < frames; i++)
        {
            PhysicalMemory.Clear(result.List.Add(i));
        }

        return true;
    }

    /// <summary>Appends frames that the domain owns already.</summary>
    internal void Append(Mfn first, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            _p2m[Count] = first.Value + i;
            MachineToPhysical.Set(first.Add(i), Count);
            Count++;
        }
    }

    /// <summary>Appends new frames up to page number <paramref name="end"/>, low memory first, in blocks as large as there are.</summary>
    internal bool TryFill(ref Domain domain, ulong end)
    {
        int order = FrameAllocator.MaximumOrder;
        int bits = LowMemoryBits;
        while (Count < end)
        {
            while (order > 0 && 1UL << order > end - Count)
            {
                order--;
            }

            if (DomainFrames.TryAllocate(ref domain, order, bits, out Mfn first))
            {
                Append(first, 1UL << order);
                for (ulong i = 0; IsCleared && i < 1UL << order; i++)
                {
                    PhysicalMemory.Clear(first.Add(i));
                }
            }
            else if (order > 0)
            {
                order--;
            }
            else if (bits == LowMemoryBits)
            {
                bits = AnyMemoryBits;
                order = FrameAllocator.MaximumOrder;
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The pages of the initial region; a p2m list inside it uses the list's own frames.</summary>
    internal bool TryFillRegion(ref Domain domain, in InitialLayout layout)
    {
        if (!layout.IsP2mApart)
        {
            if (!TryFill(ref domain, layout.P2m))
            {
                return false;
            }

            Append(List, layout.P2mPages);
        }

        return TryFill(ref domain, layout.RegionPages);
    }

    /// <summary>All pages behind the region and the RAM disk.</summary>
    internal bool TryFillRest(ref Domain domain, in InitialLayout layout, ulong pages)
    {
        if (layout.IsP2mApart)
        {
            Append(List, layout.P2mPages);
        }

        return TryFill(ref domain, pages);
    }
}
