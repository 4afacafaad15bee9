// Giving frames to domains and taking them back.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>Allocation of frames as part of a domain, and general references.</summary>
public static class DomainFrames
{
    /// <summary>Takes 2^order frames into the domain. Fails when the domain has its maximum or the machine has no such block.</summary>
    public static bool TryAllocate(ref Domain domain, int order, int addressBits, out Mfn first)
    {
        ulong count = 1UL << order;
        first = Mfn.Invalid;
        ulong staked = FrameAllocator.StakedFrames - domain.Memory.StakedPages;
        if (!HasRoom(ref domain, count) || FrameAllocator.FreeFrames < staked + count || !FrameAllocator.TryAllocate(order, addressBits, out first))
        {
            return false;
        }

        for (ulong i = 0; i < count; i++)
        {
            Adopt(ref domain, first.Add(i));
        }

        ulong redeemed = Math.Min(domain.Memory.StakedPages, count);
        domain.Memory.StakedPages -= redeemed;
        FrameAllocator.StakedFrames -= redeemed;
        return true;
    }

    /// <summary>Makes a frame that nobody owns or refers to part of the domain.</summary>
    internal static void Adopt(ref Domain domain, Mfn frame)
    {
        Own(ref domain, frame, true);
        domain.Memory.TotalPages++;
    }

    /// <summary>The end of a frame that <see cref="TryClaim"/> took out of its domain: it is nobody's, and the caller's to free or to give away.</summary>
    internal static void Disown(ref Domain domain)
    {
        domain.Memory.TotalPages--;
        domain.Memory.OwnedFrames--;
    }

    /// <summary>Makes the frame no longer part of its domain; it is free once the last reference is gone.</summary>
    public static bool TryRelease(ref Domain domain, Mfn frame)
    {
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (!info.IsAllocated)
        {
            return false;
        }

        info.IsAllocated = false;
        domain.Memory.TotalPages--;
        MachineToPhysical.Set(frame, MachineToPhysical.InvalidEntry);
        Put(frame);
        return true;
    }

    /// <summary>A page of the hypervisor's that the domain may map writable (shared_info, grant frames): never part of its memory.</summary>
    public static bool TryAllocateShared(ref Domain domain, out Mfn frame)
    {
        if (!FrameAllocator.TryAllocate(0, 64, out frame))
        {
            return false;
        }

        // One reference is the hypervisor's own, as a writer.
        PhysicalMemory.Clear(frame);
        Own(ref domain, frame, false);
        ref FrameInfo info = ref FrameTable.At(frame);
        info.AddGeneral();
        info.StartType(PageType.Writable);
        return true;
    }

    /// <summary>Gives back the hypervisor's own reference of such a page.</summary>
    internal static void ReleaseShared(Mfn frame) => PageTypes.DropLeaf(frame);

    /// <summary>A frame for the hypervisor's own data.</summary>
    public static bool TryAllocateOwn(out Mfn frame)
    {
        if (!FrameAllocator.TryAllocate(0, 64, out frame))
        {
            return false;
        }

        PhysicalMemory.Clear(frame);
        FrameTable.At(frame).Assign(DomainIds.Xen, false);
        return true;
    }

    /// <summary>Gives back a frame of <see cref="TryAllocateOwn"/>.</summary>
    public static void FreeOwn(Mfn frame) => FrameAllocator.Free(frame, 0);

    /// <summary>
    /// Takes a frame out of its domain if being part of it is its only use: nobody maps it, and it is no table. It can then only be
    /// freed, given to another owner, or put back by <see cref="Unclaim"/>.
    /// </summary>
    public static bool TryClaim(ref Domain domain, Mfn frame)
    {
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (!info.IsAllocated || info.GeneralCount != 1 || info.TypeCount != 0)
        {
            return false;
        }

        info.IsAllocated = false;
        info.DropGeneral();
        return true;
    }

    /// <summary>Undoes <see cref="TryClaim"/>.</summary>
    public static void Unclaim(Mfn frame)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        info.AddGeneral();
        info.IsAllocated = true;
    }

    /// <summary>Whether the domain may have that many more frames.</summary>
    public static bool HasRoom(ref Domain domain, ulong pages)
        => domain.Memory.TotalPages <= domain.Memory.MaximumPages && pages <= domain.Memory.MaximumPages - domain.Memory.TotalPages;

    /// <summary>Keeps free frames back for a domain that is going to grow (XENMEM_claim_pages). Error: NoMemory.</summary>
    public static XenError TryStake(ref Domain domain, ulong pages)
    {
        ulong others = FrameAllocator.StakedFrames - domain.Memory.StakedPages;
        if (FrameAllocator.FreeFrames < others || FrameAllocator.FreeFrames - others < pages)
        {
            return XenError.NoMemory;
        }

        FrameAllocator.StakedFrames = others + pages;
        domain.Memory.StakedPages = pages;
        return XenError.None;
    }

    /// <summary>A general reference to a frame of that owner; fails for others and when the count is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryGet(Mfn frame, ushort owner)
    {
        if (!FrameTable.IsOwnedBy(frame, owner))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (info.GeneralCount is 0 or >= FrameInfo.CountLimit)
        {
            return false;
        }

        info.AddGeneral();
        return true;
    }

    /// <summary>Drops a general reference; the last one frees the frame, wiped.</summary>
    public static void Put(Mfn frame) => Put(ref FrameTable.At(frame), frame);

    /// <summary>As above, when the frame's entry is at hand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Put(ref FrameInfo info, Mfn frame)
    {
        if (info.DropGeneral())
        {
            Free(frame, info.Owner);
        }
    }

    private static void Own(ref Domain domain, Mfn frame, bool isPart)
    {
        FrameTable.At(frame).Assign(domain.Id, isPart);
        domain.Memory.OwnedFrames++;
        domain.Memory.Regions.Note(frame);
    }

    private static void Free(Mfn frame, ushort owner)
    {
        // A translation that the last owner left in a TLB must not reach the next owner's data.
        TlbClock.RequestFlush(owner);
        PhysicalMemory.Clear(frame);
        FrameAllocator.Free(frame, 0);
        ref Domain domain = ref DomainTable.At(owner);
        domain.Memory.OwnedFrames--;
        DomainDestruction.OnRelease(ref domain);
    }
}
