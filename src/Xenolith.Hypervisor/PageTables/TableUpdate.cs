// Changing one entry of a page table in use.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>
/// Takes the new entry's references, stores it, then gives the old one's back: in this order, so that a frame named by both never
/// loses its last reference in between.
/// </summary>
internal static class TableUpdate
{
    /// <summary>
    /// Updates an entry of a validated table of <paramref name="level"/> that the domain owns. Errors: Invalid, NotPermitted, Busy,
    /// Restart. After a change above level 1 the caller's translations are flushed before it runs on.
    /// </summary>
    internal static XenError Write(
        ref Vcpu vcpu, ref Domain domain, ushort targetOwner, Mfn table, int index, int level, ulong proposed, bool preserve, ref Preemption preemption)
    {
        ref ulong slot = ref PhysicalMemory.Word(table, index);
        ulong current = slot;
        if (level == 4 && index is >= HypervisorAddressSpace.FirstSlot and < HypervisorAddressSpace.EndSlot)
        {
            return XenError.Invalid;
        }

        ValidatedEntry entry;
        if ((proposed & PageTableEntry.Present) == 0)
        {
            entry = ValidatedEntry.NotPresent(proposed);
        }
        else if (ValidatedEntry.TryReflag(current, proposed, level, domain.IsPrivileged, out entry))
        {
            Store(table, index, entry, preserve);
            if (level > 1)
            {
                TlbClock.RequestFlush();
            }

            return XenError.None;
        }
        else
        {
            XenError error = ValidatedEntry.TryTake(ref domain, targetOwner, table, level, proposed, ref preemption, out entry);
            if (error != XenError.None)
            {
                Mfn target = new PageTableEntry(proposed).Frame;
                if (level > 1 && error != XenError.Restart)
                {
                    DeferredWork.AddIfDismantling(ref vcpu, ref domain, target, (PageType)(level - 1));
                }

                return error;
            }
        }

        Store(table, index, entry, preserve);
        if (level > 1)
        {
            TlbClock.RequestFlush();
        }

        PageTableEntry old = new(current);
        if (!old.IsPresent)
        {
            return XenError.None;
        }

        if (level == 1)
        {
            PageTypes.DropL1Target(old);
        }
        else if (old.Frame != table && !PageTypes.TryDrop(ref domain, old.Frame, ref preemption))
        {
            DeferredWork.Set(ref vcpu, old.Frame);
        }

        return XenError.None;
    }

    /// <summary>Stores the entry; with <paramref name="preserve"/> the accessed and dirty bits of the moment are kept.</summary>
    internal static void Store(Mfn table, int index, ValidatedEntry entry, bool preserve)
    {
        if (!preserve)
        {
            System.Threading.Volatile.Write(ref PhysicalMemory.Word(table, index), entry.Value);
            return;
        }

        ulong current = PhysicalMemory.Word(table, index);
        while (true)
        {
            ulong kept = current & (PageTableEntry.Accessed | PageTableEntry.Dirty);
            ulong seen = PhysicalMemory.CompareExchange(table, index, entry.Value | kept, current);
            if (seen == current)
            {
                return;
            }

            current = seen;
        }
    }
}
