// Growing and shrinking a domain: the balloon.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>increase_reservation, decrease_reservation, populate_physmap: lists of extents; the result is how many were done.</summary>
internal static class ReservationOperations
{
    private const int MaximumOrderOfDom0 = 18;
    private const int MaximumOrder = 9;
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

            for (ulong page = 0; page < 1UL << order; page++)
            {
                MachineToPhysical.Set(first.Add(page), namesPfns ? pfn + page : MachineToPhysical.InvalidEntry);
            }

            if (!GuestMemory.TryWrite(extent, first.Value))
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
        bool isSelf = id == call.Vcpu.DomainId;
        uint maximum = call.Domain.IsPrivileged ? (uint)MaximumOrderOfDom0 : MaximumOrder;
        return (isSelf || (call.Domain.IsPrivileged && DomainTable.Exists(id)))
            && reservation.ExtentOrder <= maximum
            && reservation.ExtentCount <= ulong.MaxValue >> 6
            && start <= reservation.ExtentCount
            && new GuestAddress(reservation.ExtentStart).IsGuestRange(Math.Min(reservation.ExtentCount, 1UL << 40) * 8);
    }
}
