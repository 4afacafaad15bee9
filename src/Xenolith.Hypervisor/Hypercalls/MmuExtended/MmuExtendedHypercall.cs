// mmuext_op: pins, roots, flushes and the LDT.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 26. RDI = operations, RSI = count, RDX = done counter or 0, R10 = domain whose frames are meant.</summary>
internal static class MmuExtendedHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        // A kernel flushes single pages more often than it does anything else here.
        bool isPlain = call.Argument1 == 1 && call.Argument2 == 0 && call.Argument3 == DomainIds.Self && !call.Vcpu.Memory.HasDeferred;
        if (isPlain && GuestMemory.TryRead(new GuestAddress(call.Argument0), out MmuExtendedOp single)
            && single.Command == (uint)MmuExtendedCommand.InvlpgLocal)
        {
            Tlb.FlushPage(new GuestAddress(single.Argument1));
            return HypercallResult.Success;
        }

        Preemption preemption = Preemption.Start();
        uint count = (uint)call.Argument1;
        if (call.Vcpu.Memory.HasDeferred && !DeferredWork.TryFinish(ref call.Vcpu, ref preemption))
        {
            return HypercallResult.Continue;
        }

        if ((count & MmuUpdateHypercall.PreemptedFlag) != 0)
        {
            count &= ~MmuUpdateHypercall.PreemptedFlag;
            if (count == 0 && call.Argument0 == 0)
            {
                return HypercallResult.Done((int)call.Argument3);
            }
        }
        else if (call.Argument2 != 0 && !DoneCount.TryReset(call.Argument2))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = ForeignDomain.TryResolve(ref call, (ushort)call.Argument3, out _, out ushort owner);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        ulong at = call.Argument0;
        uint done = 0;
        for (; done < count; done++, at += 24)
        {
            if (done != 0 && (call.Vcpu.Memory.HasDeferred || preemption.IsNeeded))
            {
                error = XenError.Restart;
                break;
            }

            if (!GuestMemory.TryRead(new GuestAddress(at), out MmuExtendedOp operation))
            {
                error = XenError.Fault;
                break;
            }

            error = Apply(ref call.Vcpu, owner, operation, ref preemption);
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
            call.Argument1 = (count - done) | MmuUpdateHypercall.PreemptedFlag;
            return HypercallResult.Continue;
        }

        return HypercallResult.From(error);
    }

    private static XenError Apply(ref Vcpu vcpu, ushort owner, MmuExtendedOp operation, ref Preemption preemption)
    {
        MmuExtendedCommand command = (MmuExtendedCommand)operation.Command;
        Mfn frame = new(operation.Argument1);
        bool isOwn = owner == vcpu.DomainId;
        if (!isOwn && (!DomainTable.Exists(owner) || command is not (<= MmuExtendedCommand.UnpinTable or MmuExtendedCommand.ClearPage or MmuExtendedCommand.CopyPage)))
        {
            return XenError.NotPermitted;
        }

        switch (command)
        {
            case MmuExtendedCommand.PinL1Table:
            case MmuExtendedCommand.PinL2Table:
            case MmuExtendedCommand.PinL3Table:
            case MmuExtendedCommand.PinL4Table:
                return Pin(ref vcpu, ref DomainTable.At(owner), frame, (PageType)(command - MmuExtendedCommand.PinL1Table + 1), ref preemption);
            case MmuExtendedCommand.UnpinTable:
                return Unpin(ref vcpu, ref DomainTable.At(owner), frame, ref preemption);
            case MmuExtendedCommand.NewBasePointer:
                return RootTables.SetKernelRoot(ref vcpu, frame, ref preemption);
            case MmuExtendedCommand.NewUserBasePointer:
                return RootTables.SetUserRoot(ref vcpu, frame, ref preemption);
            case MmuExtendedCommand.TlbFlushLocal:
                TlbClock.RequestLocalFlush();
                return XenError.None;
            case MmuExtendedCommand.TlbFlushAll:
                TlbClock.RequestFlush(vcpu.DomainId);
                return XenError.None;
            case MmuExtendedCommand.InvlpgLocal:
                Tlb.FlushPage(new GuestAddress(operation.Argument1));
                return XenError.None;
            case MmuExtendedCommand.InvlpgAll:
                Tlb.FlushPage(new GuestAddress(operation.Argument1));
                TlbClock.RequestFlushElsewhere(vcpu.DomainId);
                return XenError.None;
            case MmuExtendedCommand.TlbFlushMulti:
                return VcpuFlush.TryRequestAll(ref vcpu, new GuestAddress(operation.Argument2)) ? XenError.None : XenError.Invalid;
            case MmuExtendedCommand.InvlpgMulti:
                return VcpuFlush.TryRequestPage(ref vcpu, new GuestAddress(operation.Argument2), new GuestAddress(operation.Argument1))
                    ? XenError.None : XenError.Invalid;
            case MmuExtendedCommand.FlushCache:
            case MmuExtendedCommand.FlushCacheGlobal:
                if (!vcpu.Domain.IsPrivileged)
                {
                    return command == MmuExtendedCommand.FlushCache ? XenError.AccessDenied : XenError.Invalid;
                }

                Cpu.WriteBackInvalidateCaches();
                return XenError.None;
            case MmuExtendedCommand.SetLdt:
                return LocalDescriptorTable.Set(ref vcpu, operation.Argument1, operation.Argument2);
            case MmuExtendedCommand.ClearPage:
                return WritePage(ref DomainTable.At(owner), frame, false, default);
            case MmuExtendedCommand.CopyPage:
                return WritePage(ref DomainTable.At(owner), frame, true, new Mfn(operation.Argument2));
            case MmuExtendedCommand.MarkSuper:
            case MmuExtendedCommand.UnmarkSuper:
                return XenError.NotSupported;
            default:
                return XenError.NotImplemented;
        }
    }

    private static XenError Pin(ref Vcpu vcpu, ref Domain domain, Mfn frame, PageType type, ref Preemption preemption)
    {
        if (FrameTable.IsOwnedBy(frame, domain.Id) && FrameTable.At(frame).IsPinned && FrameTable.At(frame).TypeCount != 0)
        {
            return XenError.Invalid;
        }

        XenError error = PageTypes.TryTake(ref domain, frame, type, ref preemption);
        if (error == XenError.None)
        {
            FrameTable.At(frame).IsPinned = true;
        }
        else if (error != XenError.Restart)
        {
            DeferredWork.AddIfDismantling(ref vcpu, ref domain, frame, type);
        }

        return error;
    }

    private static XenError Unpin(ref Vcpu vcpu, ref Domain domain, Mfn frame, ref Preemption preemption)
    {
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return XenError.Invalid;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (!info.IsPinned || info.TypeCount == 0)
        {
            return XenError.Invalid;
        }

        info.IsPinned = false;
        if (!PageTypes.TryDrop(ref domain, frame, ref preemption))
        {
            DeferredWork.Set(ref vcpu, frame);
        }

        return XenError.None;
    }

    /// <summary>Clears the frame, or copies another of the same domain into it.</summary>
    private static XenError WritePage(ref Domain domain, Mfn frame, bool copies, Mfn source)
    {
        if (PageTypes.TryTakeWritable(ref domain, frame) != XenError.None)
        {
            return XenError.Invalid;
        }

        XenError error = XenError.None;
        if (!copies)
        {
            PhysicalMemory.Clear(frame);
        }
        else if (DomainFrames.TryGet(source, domain.Id))
        {
            PhysicalMemory.Copy(frame, source);
            DomainFrames.Put(source);
        }
        else
        {
            error = XenError.Invalid;
        }

        PageTypes.DropLeaf(frame);
        return error;
    }
}
