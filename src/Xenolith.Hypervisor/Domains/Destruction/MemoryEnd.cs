// The end of a domain's memory.
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Unpins what is pinned, completes what was interrupted, and takes every frame out of the domain.</summary>
internal static class MemoryEnd
{
    /// <summary>
    /// One way through the domain's regions of the frame table. With pins and unfinished work gone, the tables that are left hold each
    /// other in a tree without a root's reference, and fall with their parents. False: preempted.
    /// </summary>
    internal static bool TryFree(ref Domain domain, ref Preemption preemption)
    {
        ulong start = domain.Ending.Cursor;
        for (ulong next = start; domain.Memory.Regions.TryNext(next, out Mfn frame); next = frame.Value + 1)
        {
            if (frame.Value != start && preemption.IsNeeded)
            {
                domain.Ending.Cursor = frame.Value;
                return false;
            }

            if (FrameTable.IsOwnedBy(frame, domain.Id) && !TryRelease(ref domain, frame, ref preemption))
            {
                domain.Ending.Cursor = frame.Value;
                return false;
            }
        }

        return true;
    }

    private static bool TryRelease(ref Domain domain, Mfn frame, ref Preemption preemption)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        if (info.TypeCount != 0 && (info.IsPinned || info.IsBuilding || info.IsDismantling))
        {
            info.IsPinned = false;
            if (!PageTypes.TryDrop(ref domain, frame, ref preemption))
            {
                return false;
            }
        }

        DomainFrames.TryRelease(ref domain, frame);
        return true;
    }
}
