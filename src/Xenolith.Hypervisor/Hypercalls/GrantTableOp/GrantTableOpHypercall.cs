// grant_table_op: sharing pages between domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 20 (public grant_table.h). RDI = operation, RSI = array of its structures, RDX = how many.</summary>
internal static class GrantTableOpHypercall
{
    private const uint Version1 = 1;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        return call.Argument0 switch
        {
            2 => ForEach(ref call, 24, GrantOperation.SetupTable),
            6 => ForEach(ref call, 16, GrantOperation.QuerySize),
            8 => SetVersion(ref call),
            10 => GetVersion(ref call),
            _ => HypercallResult.From(XenError.NotImplemented),
        };
    }

    private static HypercallResult ForEach(ref HypercallCall call, ulong bytes, GrantOperation operation)
    {
        Preemption preemption = Preemption.Start();
        uint count = (uint)call.Argument2;
        for (uint done = 0; done < count; done++)
        {
            if (done != 0 && preemption.IsNeeded)
            {
                call.Argument1 += done * bytes;
                call.Argument2 = count - done;
                return HypercallResult.Continue;
            }

            GuestAddress at = new(call.Argument1 + (done * bytes));
            bool readable = operation == GrantOperation.SetupTable ? TrySetupTable(ref call, at) : TryQuerySize(ref call, at);
            if (!readable)
            {
                return HypercallResult.From(XenError.Fault);
            }
        }

        return HypercallResult.Success;
    }

    private static bool TrySetupTable(ref HypercallCall call, GuestAddress at)
    {
        const ulong StatusOffset = 8;
        if (!GuestMemory.TryRead(at, out ulong request) || !GuestMemory.TryRead(at.Add(16), out ulong list))
        {
            return false;
        }

        uint frames = (uint)(request >> 32);
        if (!TryResolve(ref call, (ushort)request, out ushort id))
        {
            return GuestMemory.TryWrite(at.Add(StatusOffset), (short)GrantStatus.BadDomain);
        }

        ref Domain domain = ref DomainTable.At(id);
        if (frames > DomainGrants.MaximumFrames || !GrantTable.TryGrow(ref domain, (int)frames))
        {
            return GuestMemory.TryWrite(at.Add(StatusOffset), (short)GrantStatus.GeneralError);
        }

        for (uint i = 0; i < frames; i++)
        {
            if (!GuestMemory.TryWrite(new GuestAddress(list + (i * 8)), domain.Grants.FrameAt((int)i).Value))
            {
                return GuestMemory.TryWrite(at.Add(StatusOffset), (short)GrantStatus.BadVirtualAddress);
            }
        }

        return GuestMemory.TryWrite(at.Add(StatusOffset), (short)GrantStatus.Okay);
    }

    private static bool TryQuerySize(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort requested))
        {
            return false;
        }

        GuestAddress status = at.Add(12);
        if (!TryResolve(ref call, requested, out ushort id))
        {
            return GuestMemory.TryWrite(status, (short)GrantStatus.BadDomain);
        }

        return GuestMemory.TryWrite(at.Add(4), (uint)DomainTable.At(id).Grants.FrameCount)
            && GuestMemory.TryWrite(at.Add(8), (uint)DomainGrants.MaximumFrames)
            && GuestMemory.TryWrite(status, (short)GrantStatus.Okay);
    }

    private static HypercallResult SetVersion(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint version))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (version is not (1 or 2))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        HypercallResult result = version == Version1 ? HypercallResult.Success : HypercallResult.From(XenError.NotImplemented);
        return GuestMemory.TryWrite(at, Version1) ? result : HypercallResult.From(XenError.Fault);
    }

    private static HypercallResult GetVersion(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out ushort requested))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!TryResolve(ref call, requested, out _))
        {
            return HypercallResult.From(XenError.NoSuchDomain);
        }

        return GuestMemory.TryWrite(at.Add(4), Version1) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    private static bool TryResolve(ref HypercallCall call, ushort requested, out ushort id)
    {
        id = requested == DomainIds.Self ? call.Vcpu.DomainId : requested;
        return id == call.Vcpu.DomainId || (call.Domain.IsPrivileged && DomainTable.Exists(id));
    }

    private enum GrantOperation
    {
        SetupTable, QuerySize,
    }
}
