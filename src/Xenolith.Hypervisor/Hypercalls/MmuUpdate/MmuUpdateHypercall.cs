// mmu_update: changes to page table entries by machine address.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 1. RDI = requests, RSI = count, RDX = where to store how many were done (or 0), R10 = foreign domain.</summary>
internal static class MmuUpdateHypercall
{
    /// <summary>Set in the count of a continued call (public xen.h, MMU_UPDATE_PREEMPTED).</summary>
    internal const uint PreemptedFlag = 0x8000_0000;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        Preemption preemption = Preemption.Start();
        uint count = (uint)call.Argument1;
        if (call.Vcpu.Memory.HasDeferred && !DeferredWork.TryFinish(ref call.Vcpu, ref preemption))
        {
            return HypercallResult.Continue;
        }

        if ((count & PreemptedFlag) != 0)
        {
            count &= ~PreemptedFlag;
            if (count == 0 && call.Argument0 == 0)
            {
                return HypercallResult.Done((int)call.Argument3);
            }
        }
        else if (call.Argument2 != 0 && !DoneCount.TryReset(call.Argument2))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = ForeignDomain.TryResolve(ref call, (uint)call.Argument3, out ushort tableOwner, out ushort targetOwner);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        ulong at = call.Argument0;
        uint done = 0;
        for (; done < count; done++, at += 16)
        {
            if (done != 0 && (call.Vcpu.Memory.HasDeferred || preemption.IsNeeded))
            {
                error = XenError.Restart;
                break;
            }

            if (!GuestMemory.TryRead(new GuestAddress(at), out Abi.MmuUpdate request))
            {
                error = XenError.Fault;
                break;
            }

            error = IsOrdinary(request, tableOwner)
                ? TableUpdate.WriteL1(
                    ref tableOwner == call.Vcpu.DomainId ? ref call.Domain : ref DomainTable.At(tableOwner), targetOwner,
                    ref PhysicalMemory.Word(new Mfn(request.Pointer >> 12), (int)(request.Pointer & 0xFFF) >> 3), request.Value,
                    (request.Pointer & 7) == Abi.MmuUpdate.PreserveAccessedDirty)
                : Apply(ref call, request, tableOwner, targetOwner, ref preemption);
            if (error != XenError.None)
            {
                break;
            }
        }

        if (call.Argument2 != 0 && done != 0)
        {
            DoneCount.Add(call.Argument2, done);
        }

        if (error == XenError.Restart)
        {
            call.Argument0 = at;
            call.Argument1 = (count - done) | PreemptedFlag;
            return HypercallResult.Continue;
        }

        return HypercallResult.From(error);
    }

    /// <summary>Nearly every request: an entry of an L1 table in use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOrdinary(Abi.MmuUpdate request, ushort tableOwner)
    {
        ref FrameInfo info = ref FrameTable.Find(new Mfn(request.Pointer >> 12));
        return (request.Pointer & 7) is Abi.MmuUpdate.NormalPageTableUpdate or Abi.MmuUpdate.PreserveAccessedDirty && info.Owner == tableOwner
            && info.TypeCount != 0 && info.Type == PageType.L1;
    }

    private static XenError Apply(ref HypercallCall call, Abi.MmuUpdate request, ushort tableOwner, ushort targetOwner, ref Preemption preemption)
    {
        ulong command = request.Pointer & 7;
        Mfn frame = new(request.Pointer >> 12);
        if (command == Abi.MmuUpdate.MachineToPhysicalUpdate)
        {
            if (!FrameTable.IsOwnedBy(frame, targetOwner))
            {
                return XenError.Invalid;
            }

            MachineToPhysical.Set(frame, request.Value);
            return XenError.None;
        }

        if (command > Abi.MmuUpdate.NoTranslate)
        {
            return XenError.NotImplemented;
        }

        ref FrameInfo info = ref FrameTable.Find(frame);
        if (info.Owner != tableOwner)
        {
            return XenError.Invalid;
        }

        int index = (int)(request.Pointer & 0xFFF) >> 3;
        bool preserve = command == Abi.MmuUpdate.PreserveAccessedDirty;
        if (info.TypeCount != 0)
        {
            PageType type = info.Type;
            if (type == PageType.L1)
            {
                return TableUpdate.WriteL1(ref DomainTable.At(tableOwner), targetOwner, ref PhysicalMemory.Word(frame, index), request.Value, preserve);
            }

            if (type is PageType.L2 or PageType.L3 or PageType.L4)
            {
                return targetOwner != tableOwner || !info.IsValidated
                    ? XenError.Invalid
                    : TableUpdate.Write(ref call.Vcpu, ref DomainTable.At(tableOwner), targetOwner, frame, index, (int)type, request.Value, preserve, ref preemption);
            }

            if (type != PageType.Writable)
            {
                return XenError.Invalid;
            }
        }

        // A table that is not in use yet is ordinary memory: no check, but nothing may hold it as a table meanwhile.
        if (PageTypes.TryTakeWritable(ref DomainTable.At(tableOwner), frame) != XenError.None)
        {
            return XenError.Invalid;
        }

        PhysicalMemory.Word(frame, index) = request.Value;
        PageTypes.DropLeaf(frame);
        return XenError.None;
    }
}
