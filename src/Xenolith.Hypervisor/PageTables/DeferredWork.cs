// Dismantling of large tables that a hypercall could not finish in its slice.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Each vcpu owes at most one table; every page-table operation of the vcpu first completes it.</summary>
internal static class DeferredWork
{
    internal static void Set(ref Vcpu vcpu, Mfn table)
    {
        vcpu.Memory.Deferred = table;
        vcpu.Memory.HasDeferred = true;
    }

    /// <summary>After a promotion that failed: keeps the table if it has something left to give back.</summary>
    internal static void AddIfDismantling(ref Vcpu vcpu, ref Domain domain, Mfn table, PageType type)
    {
        if (FrameTable.IsOwnedBy(table, domain.Id))
        {
            ref FrameInfo info = ref FrameTable.At(table);
            if (info.Type == type && info.TypeCount != 0 && info.IsDismantling)
            {
                Set(ref vcpu, table);
            }
        }
    }

    /// <summary>False when the slice ends before the work does.</summary>
    internal static bool TryFinish(ref Vcpu vcpu, ref Preemption preemption)
    {
        if (!vcpu.Memory.HasDeferred)
        {
            return true;
        }

        ref FrameInfo info = ref FrameTable.At(vcpu.Memory.Deferred);
        if (info.TypeCount != 0 && info.IsDismantling && !PageTypes.TryDrop(ref DomainTable.At(info.Owner), vcpu.Memory.Deferred, ref preemption))
        {
            return false;
        }

        vcpu.Memory.HasDeferred = false;
        return true;
    }
}
