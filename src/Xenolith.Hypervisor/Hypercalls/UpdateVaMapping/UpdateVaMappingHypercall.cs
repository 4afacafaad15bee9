// update_va_mapping: one level-1 entry by virtual address, with a flush if asked.
using Xenolith.Abi;
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
        if (error == XenError.None)
        {
            // All vcpus of the domain run on this processor or flush when they are switched in.
            switch (call.Argument2 & FlushTypeMask)
            {
                case FlushAll: TlbClock.RequestFlush(); break;
                case FlushPage: Tlb.FlushPage(address); break;
                default: break;
            }
        }

        return HypercallResult.From(error);
    }
}
