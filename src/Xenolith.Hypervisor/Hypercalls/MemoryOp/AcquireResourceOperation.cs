// acquire_resource: frames of the hypervisor's that belong to a domain, for its controller to map.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// XENMEM_acquire_resource (public memory.h), struct of 32 bytes: domain @0, type @2, id @4, count @8, padding @12, first frame @16,
/// list of frame numbers @24. Only the grant table (type 1, id 0) exists; the caller maps the frames with mmu_update.
/// </summary>
internal static class AcquireResourceOperation
{
    private const ushort GrantTableType = 1;
    private const int ProgressShift = 6;

    internal static HypercallResult Handle(ref HypercallCall call, ulong start)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out ulong head) || !GuestMemory.TryRead(at.Add(8), out ulong size)
            || !GuestMemory.TryRead(at.Add(16), out ulong first) || !GuestMemory.TryRead(at.Add(24), out ulong list))
        {
            return HypercallResult.From(XenError.Fault);
        }

        uint count = (uint)size;
        if (size >> 32 != 0 || start > count)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        XenError error = DomainControl.TryServe(ref call.Domain, (ushort)head, out ushort id);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        // What a domain has itself it gets by the grant table's own operations.
        if (id == call.Domain.Id && !DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        bool isGrantTable = (ushort)(head >> 16) == GrantTableType && head >> 32 == 0;
        if (!isGrantTable)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        if (list == 0)
        {
            return AnswerSize(ref DomainTable.At(id), at, count, start);
        }

        return first > DomainGrants.MaximumFrames || count > DomainGrants.MaximumFrames - first
            ? HypercallResult.From(XenError.Invalid)
            : ListFrames(ref call, ref DomainTable.At(id), (uint)first, count, list, start);
    }

    private static HypercallResult AnswerSize(ref Domain domain, GuestAddress at, uint count, ulong start)
    {
        if (count != 0 || start != 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return GuestMemory.TryWrite(at.Add(8), domain.Settings.MaximumGrantFrames) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult ListFrames(ref HypercallCall call, ref Domain domain, uint first, uint count, ulong list, ulong start)
    {
        Preemption preemption = Preemption.Start();
        for (uint i = (uint)start; i < count; i++)
        {
            if (i != start && preemption.IsNeeded)
            {
                call.Argument0 = (call.Argument0 & ((1 << ProgressShift) - 1)) | ((ulong)i << ProgressShift);
                return HypercallResult.Continue;
            }

            if (!GrantTable.TryGrow(ref domain, first + i + 1))
            {
                return HypercallResult.From(XenError.NoMemory);
            }

            if (!GuestMemory.TryWrite(new GuestAddress(list + (i * 8UL)), domain.Grants.FrameAt((int)(first + i)).Value))
            {
                return HypercallResult.From(XenError.Fault);
            }
        }

        return HypercallResult.Success;
    }
}
