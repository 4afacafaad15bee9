// domctl: what the frames of a domain are used as.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>getpageframeinfo3: a list of frame numbers in, replaced by their types (XEN_DOMCTL_PFINFO_*).</summary>
internal static class PageFrameInfoOperation
{
    private const ulong Limit = 1024;
    private const int TypeShift = 28;
    private const ulong Pinned = 1UL << 31;

    /// <summary>The frame is not the domain's, or it does not exist.</summary>
    private const ulong NoFrame = 0xFUL << TypeShift;

    /// <summary>Errors: TooBig (more than 1024), Fault.</summary>
    internal static XenError Handle(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong count) || !GuestMemory.TryRead(at.Add(8), out ulong list))
        {
            return XenError.Fault;
        }

        if (count > Limit)
        {
            return XenError.TooBig;
        }

        for (ulong i = 0; i < count; i++)
        {
            GuestAddress entry = new(list + (i * 8));
            if (!GuestMemory.TryRead(entry, out ulong frame) || !GuestMemory.TryWrite(entry, TypeOf(ref control.Domain, new Mfn(frame))))
            {
                return XenError.Fault;
            }
        }

        return XenError.None;
    }

    private static ulong TypeOf(ref Domain domain, Mfn frame)
    {
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return NoFrame;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        bool isTable = info.TypeCount != 0 && info.Type is (PageType.L1 or PageType.L2 or PageType.L3 or PageType.L4);
        return !isTable ? 0 : ((ulong)info.Type << TypeShift) | (info.IsPinned ? Pinned : 0);
    }
}
