// memory_op: the memory of domains, and what the machine has.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 12. RDI = operation | extents done already, shifted by 6; RSI = arguments.</summary>
internal static class MemoryOpHypercall
{
    private const int ProgressShift = 6;
    private const ulong OperationMask = (1 << ProgressShift) - 1;
    private const ulong M2pStart = 0xFFFF_8000_0000_0000;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        ulong start = call.Argument0 >> ProgressShift;
        switch (call.Argument0 & OperationMask)
        {
            case 0: return ReservationOperations.Increase(ref call, start);
            case 1: return ReservationOperations.Decrease(ref call, start);
            case 2: return HypercallResult.Done((long)FrameTable.Count);
            case 3: return WithDomain(ref call, out ushort current) ? HypercallResult.Done((long)DomainTable.At(current).Memory.TotalPages) : HypercallResult.From(XenError.NoSuchDomain);
            case 4: return WithDomain(ref call, out ushort maximum) ? HypercallResult.Done((long)Math.Min(DomainTable.At(maximum).Memory.MaximumPages, 0xFFFF_FFFFUL)) : HypercallResult.From(XenError.NoSuchDomain);
            case 5: return HypercallResult.From(XenError.NotImplemented);
            case 6: return ReservationOperations.Populate(ref call, start);
            case 9: return HypercallResult.From(XenError.NotImplemented);
            case 10: return MachineMemoryMapOperation(ref call);
            case 11: return ExchangeOperation.Handle(ref call);
            case 12: return MachphysMapping(ref call);
            case 14: return WithDomain(ref call, out ushort gpfn) ? HypercallResult.Done((long)DomainTable.At(gpfn).Memory.TotalPages - 1) : HypercallResult.From(XenError.NoSuchDomain);
            case 24: return HypercallResult.Success;
            case 26 or 27: return HypercallResult.From(XenError.NotSupported);
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    private static bool WithDomain(ref HypercallCall call, out ushort id)
    {
        if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out id))
        {
            return false;
        }

        if (id == DomainIds.Self)
        {
            id = call.Vcpu.DomainId;
        }

        return id == call.Vcpu.DomainId || (call.Domain.IsPrivileged && DomainTable.Exists(id));
    }

    private static HypercallResult MachphysMapping(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        bool done = GuestMemory.TryWrite(at, M2pStart)
            && GuestMemory.TryWrite(at.Add(8), M2pStart + (MachineToPhysical.Count * 8))
            && GuestMemory.TryWrite(at.Add(16), MachineToPhysical.Count - 1);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>struct xen_memory_map: capacity in, count out, entries of 20 bytes; a null buffer asks for the count.</summary>
    private static HypercallResult MachineMemoryMapOperation(ref HypercallCall call)
    {
        if (!call.Domain.IsPrivileged)
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint capacity) || !GuestMemory.TryRead(at.Add(8), out ulong buffer))
        {
            return HypercallResult.From(XenError.Fault);
        }

        int count = MachineMemoryMap.Count;
        if (buffer != 0)
        {
            if (capacity < (uint)count)
            {
                return HypercallResult.From(XenError.Invalid);
            }

            for (int i = 0; i < count; i++)
            {
                E820Entry entry = MachineMemoryMap.EntryAt(i);
                if (!GuestMemory.TryWrite(new GuestAddress(buffer + ((ulong)i * 20)), entry))
                {
                    return HypercallResult.From(XenError.Fault);
                }
            }
        }

        return GuestMemory.TryWrite(at, (uint)count) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }
}
