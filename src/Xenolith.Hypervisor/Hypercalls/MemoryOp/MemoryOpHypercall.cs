// memory_op: the memory of domains, and what the machine has.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 12 (public memory.h). RDI = operation | extents done already, shifted by 6; RSI = arguments.</summary>
internal static class MemoryOpHypercall
{
    private const int ProgressShift = 6;
    private const ulong OperationMask = (1 << ProgressShift) - 1;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        ulong operation = call.Argument0 & OperationMask;
        ulong start = (uint)call.Argument0 >> ProgressShift;
        switch (operation)
        {
            case 0: return ReservationOperations.Increase(ref call, start);
            case 1: return ReservationOperations.Decrease(ref call, start);
            case 6: return ReservationOperations.Populate(ref call, start);
            case 11: return ExchangeOperation.Handle(ref call);
            case 28: return AcquireResourceOperation.Handle(ref call, start);
        }

        // No other operation is ever continued.
        if (start != 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        switch (operation)
        {
            case 2: return HypercallResult.Done((long)FrameTable.Count);
            case 3 or 4 or 14: return Query(ref call, operation);
            case 5: return MachineToPhysicalOperations.List(ref call, false);

            // A PV domain has no physical map that others could change; no domain has been given a NUMA layout.
            case 7 or 15 or 23: return Refuse(ref call, XenError.AccessDenied);
            case 9: return MemoryMapOperations.Own(ref call);
            case 10: return MemoryMapOperations.Machine(ref call);
            case 12: return MachineToPhysicalOperations.Mapping(ref call);
            case 13: return MemoryMapOperations.Set(ref call);
            case 24: return ReservationOperations.Claim(ref call);
            case 25: return MachineToPhysicalOperations.List(ref call, true);
            case 26: return Refuse(ref call, XenError.NotSupported);
            case 27: return MemoryMapOperations.ReservedDeviceMemory(ref call);
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    /// <summary>current_reservation, maximum_reservation, maximum_gpfn.</summary>
    private static HypercallResult Query(ref HypercallCall call, ulong operation)
    {
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out ushort requested))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out ushort id);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        ref Domain domain = ref DomainTable.At(id);
        switch (operation)
        {
            case 3: return HypercallResult.Done((long)domain.Memory.TotalPages);
            case 4: return HypercallResult.Done((long)Math.Min(domain.Memory.MaximumPages, 0xFFFF_FFFFUL));
            default:
                // The guest says how many pseudo-physical frames it has; the last one is asked for.
                ulong frames = Volatile.Read(ref PhysicalMemory.Word(domain.SharedInfo, SharedInfoLayout.ArchMaximumPfn / 8));
                return HypercallResult.Done((long)(Math.Max(frames, 1UL) - 1));
        }
    }

    /// <summary>add_to_physmap, its batch, remove_from_physmap, get_vnumainfo: refused, once the domain that they begin with exists.</summary>
    private static HypercallResult Refuse(ref HypercallCall call, XenError reason)
    {
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out ushort requested))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = DomainControl.TryServe(ref call.Domain, requested, out _);
        return HypercallResult.From(error == XenError.None ? reason : error);
    }
}
