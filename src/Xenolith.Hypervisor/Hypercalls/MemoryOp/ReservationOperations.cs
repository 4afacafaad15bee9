// Growing and shrinking a domain: the balloon.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>increase_reservation, decrease_reservation, populate_physmap: lists of extents; the result is how many were done.</summary>
internal static class ReservationOperations
{
    // An extent is one step between two looks at the clock: 2 MiB is what a step may take.
    private const int MaximumOrder = 9;
    private const ulong MaximumExtents = uint.MaxValue >> ProgressShift;
    private const int PageShift = 12;
    private const int ProgressShift = 6;
    private const int AnyAddress = 64;

    internal static HypercallResult Increase(ref HypercallCall call, ulong start) => Grow(ref call, start, false);

    internal static HypercallResult Populate(ref HypercallCall call, ulong start) => Grow(ref call, start, true);

    internal static HypercallResult Decrease(ref HypercallCall call, ulong start)
    {
        if (!TryDecode(ref call, start, out MemoryReservation reservation, out ushort id))
        {
            return HypercallResult.Done((long)start);
        }

        Preemption preemption = Preemption.Start();
        for (ulong i = start; i < reservation.ExtentCount; i++)
        {
            if (i != start && preemption.IsNeeded)
            {
                return ContinueAt(ref call, i);
            }

            if (!GuestMemory.TryRead(new GuestAddress(reservation.ExtentStart + (i * 8)), out ulong first))
            {
                return HypercallResult.Done((long)i);
            }

            for (ulong page = 0; page < 1UL << (int)reservation.ExtentOrder; page++)
            {
                if (!DomainFrames.TryRelease(ref DomainTable.At(id), new Mfn(first + page)))
                {
                    return HypercallResult.Done((long)i);
                }
            }
        }

        return HypercallResult.Done((long)reservation.ExtentCount);
    }

    private static HypercallResult Grow(ref HypercallCall call, ulong start, bool namesPfns)
    {
        if (!TryDecode(ref call, start, out MemoryReservation reservation, out ushort id))
        {
            return HypercallResult.Done((long)start);
        }

        Preemption preemption = Preemption.Start();
        int order = (int)reservation.ExtentOrder;
        int bits = (int)(reservation.MemoryFlags & 0xFF);
        ref Domain domain = ref DomainTable.At(id);
        for (ulong i = start; i < reservation.ExtentCount; i++)
        {
            if (i != start && preemption.IsNeeded)
            {
                return ContinueAt(ref call, i);
            }

            GuestAddress extent = new(reservation.ExtentStart + (i * 8));
            ulong pfn = 0;
            if (namesPfns && !GuestMemory.TryRead(extent, out pfn))
            {
                return HypercallResult.Done((long)i);
            }

            if (!DomainFrames.TryAllocate(ref domain, order, bits == 0 ? AnyAddress : bits, out Mfn first))
            {
                return HypercallResult.Done((long)i);
            }

            // Whatever the frames held before, another domain's or the firmware's, is not for this one.
            for (ulong page = 0; page < 1UL << order; page++)
            {
                PhysicalMemory.Clear(first.Add(page));
                MachineToPhysical.Set(first.Add(page), namesPfns ? pfn + page : MachineToPhysical.InvalidEntry);
            }

            if ((namesPfns || reservation.ExtentStart != 0) && !GuestMemory.TryWrite(extent, first.Value))
            {
                return HypercallResult.Done((long)i);
            }
        }

        return HypercallResult.Done((long)reservation.ExtentCount);
    }

    private static HypercallResult ContinueAt(ref HypercallCall call, ulong done)
    {
        call.Argument0 = (call.Argument0 & ((1 << ProgressShift) - 1)) | (done << ProgressShift);
        return HypercallResult.Continue;
    }

    private static bool TryDecode(ref HypercallCall call, ulong start, out MemoryReservation reservation, out ushort id)
    {
        id = 0;
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out reservation))
        {
            return false;
        }

        id = reservation.DomainId == DomainIds.Self ? call.Vcpu.DomainId : reservation.DomainId;
        int bits = (int)(reservation.MemoryFlags & 0xFF);
        return DomainControl.TryServe(ref call.Domain, reservation.DomainId, out _) == XenError.None
            && reservation.ExtentOrder <= MaximumOrder
            && reservation.ExtentCount <= MaximumExtents
            && start <= reservation.ExtentCount
            && (bits == 0 || bits > PageShift)
            && new GuestAddress(reservation.ExtentStart).IsGuestRange(reservation.ExtentCount * 8);
    }

    /// <summary>
    /// claim_pages: keeps free memory back for a domain that is about to be populated; the count is what it shall have in all, 0
    /// gives the rest back. Errors: NotPermitted, Fault, Invalid (form, no such domain, a second claim, no growth, above the maximum), NoMemory.
    /// </summary>
    internal static HypercallResult Claim(ref HypercallCall call)
    {
        if (!DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out MemoryReservation reservation))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (reservation.ExtentStart != 0 || reservation.ExtentOrder != 0 || reservation.MemoryFlags != 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        if (!DomainTable.Exists(reservation.DomainId))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        ref Domain domain = ref DomainTable.At(reservation.DomainId);
        ulong pages = reservation.ExtentCount;
        if (pages == 0)
        {
            return HypercallResult.From(DomainFrames.TryStake(ref domain, 0));
        }

        if (domain.Memory.StakedPages != 0 || pages > domain.Memory.MaximumPages || pages <= domain.Memory.TotalPages)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        return HypercallResult.From(DomainFrames.TryStake(ref domain, pages - domain.Memory.TotalPages));
    }
}
