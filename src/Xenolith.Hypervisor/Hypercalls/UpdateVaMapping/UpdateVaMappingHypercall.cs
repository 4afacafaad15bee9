// update_va_mapping: one level-1 entry by virtual address, with a flush if asked.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercalls 14 and 22. RDI = address, RSI = entry, RDX = flags (22: R10 = owner of the target frame).</summary>
internal static class UpdateVaMappingHypercall
{
    private const ulong FlushTypeMask = 3;
    private const ulong FlushAll = 1;
    private const ulong FlushPage = 2;
    private const ulong ScopeLocal = 0;
    private const ulong ScopeAllVcpus = 4;

    internal static HypercallResult Handle(ref HypercallCall call) => Apply(ref call, call.Vcpu.DomainId);

    internal static HypercallResult HandleForOtherDomain(ref HypercallCall call)
    {
        XenError error = ForeignDomain.TryResolve(ref call, (ushort)call.Argument3, out _, out ushort owner);
        return error == XenError.None ? Apply(ref call, owner) : HypercallResult.From(error);
    }

    private static HypercallResult Apply(ref HypercallCall call, ushort targetOwner)
    {
        Preemption preemption = Preemption.Start();
        if (call.Vcpu.Memory.HasDeferred && !DeferredWork.TryFinish(ref call.Vcpu, ref preemption))
        {
            return HypercallResult.Continue;
        }

        GuestAddress address = new(call.Argument0);
        if (!GuestPageTables.TryFindL1(ref call.Vcpu, address, out Mfn table, out int index))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        XenError error = TableUpdate.Write(ref call.Vcpu, ref call.Domain, targetOwner, table, index, 1, call.Argument1, false, ref preemption);
        return HypercallResult.From(error == XenError.None ? Flush(ref call.Vcpu, address, call.Argument2) : error);
    }

    /// <summary>What to flush is in the low two bits, for whom in the rest: this vcpu, all of the domain, or those of a bitmap.</summary>
    private static XenError Flush(ref Vcpu vcpu, GuestAddress address, ulong flags)
    {
        ulong kind = flags & FlushTypeMask;
        ulong scope = flags & ~FlushTypeMask;
        if (kind is not FlushAll and not FlushPage)
        {
            return XenError.None;
        }

        if (scope is not ScopeLocal and not ScopeAllVcpus)
        {
            bool found = kind == FlushAll
                ? VcpuFlush.TryRequestAll(ref vcpu, new GuestAddress(scope))
                : VcpuFlush.TryRequestPage(ref vcpu, new GuestAddress(scope), address);
            return found ? XenError.None : XenError.Fault;
        }

        if (kind == FlushAll)
        {
            TlbClock.RequestLocalFlush();
        }
        else
        {
            Tlb.FlushPage(address);
        }

        if (scope == ScopeAllVcpus)
        {
            TlbClock.RequestFlushElsewhere(vcpu.DomainId);
        }

        return XenError.None;
    }
}
