// Changing one entry of a page table in use.
using System.Runtime.CompilerServices;
using System.Threading;
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
        if (level == 1)
        {
            return WriteL1(ref domain, targetOwner, table, index, proposed, preserve);
        }

        ulong current = PhysicalMemory.Word(table, index);
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
            Store(ref PhysicalMemory.Word(table, index), entry, preserve);
            TlbClock.RequestFlush();
            return XenError.None;
        }
        else
        {
            XenError error = ValidatedEntry.TryTake(ref domain, targetOwner, table, level, proposed, ref preemption, out entry);
            if (error != XenError.None)
            {
                if (error != XenError.Restart)
                {
                    DeferredWork.AddIfDismantling(ref vcpu, ref domain, new PageTableEntry(proposed).Frame, (PageType)(level - 1));
                }

                return error;
            }
        }

        Store(ref PhysicalMemory.Word(table, index), entry, preserve);
        TlbClock.RequestFlush();
        PageTableEntry old = new(current);
        if (old.IsPresent && old.Frame != table && !PageTypes.TryDrop(ref domain, old.Frame, ref preemption))
        {
            DeferredWork.Set(ref vcpu, old.Frame);
        }

        return XenError.None;
    }

    /// <summary>As <see cref="Write"/> for a validated L1 table: the most frequent operation of all. Errors: Invalid, NotPermitted, Busy.</summary>
    internal static XenError WriteL1(ref Domain domain, ushort targetOwner, Mfn table, int index, ulong proposed, bool preserve)
    {
        ref ulong slot = ref PhysicalMemory.Word(table, index);
        ulong current = slot;
        ValidatedEntry entry;
        if ((proposed & PageTableEntry.Present) == 0)
        {
            entry = ValidatedEntry.NotPresent(proposed);
        }
        else if ((current & PageTableEntry.Present) != 0 && ((current ^ proposed) & ~(EntryRules.FastBits | PageTableEntry.Writable)) == 0
            && TryReflagL1(ref domain, targetOwner, ref slot, proposed, preserve))
        {
            return XenError.None;
        }
        else
        {
            XenError error = ValidatedEntry.TryTakeL1(ref domain, targetOwner, proposed, out entry);
            if (error != XenError.None)
            {
                return error;
            }
        }

        Store(ref slot, entry, preserve);
        if ((current & PageTableEntry.Present) != 0)
        {
            PageTypes.DropL1Target(new PageTableEntry(current));
        }

        return XenError.None;
    }

    /// <summary>The entry keeps its target: only flags change, the right to write perhaps among them. False: the long way decides.</summary>
    private static bool TryReflagL1(ref Domain domain, ushort targetOwner, ref ulong slot, ulong proposed, bool preserve)
    {
        ulong current = slot;
        if (ValidatedEntry.TryReflag(current, proposed, 1, domain.IsPrivileged, out ValidatedEntry entry))
        {
            Store(ref slot, entry, preserve);
            return true;
        }

        if (!ValidatedEntry.TryChangeRight(current, proposed, targetOwner, domain.IsPrivileged, out entry))
        {
            return false;
        }

        Store(ref slot, entry, preserve);
        if (!entry.IsWritable)
        {
            PageTypes.DropWritableRight(new PageTableEntry(current).Frame);
        }

        return true;
    }

    /// <summary>Stores the entry; with <paramref name="preserve"/> the accessed and dirty bits of the moment are kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ref ulong slot, ValidatedEntry entry, bool preserve)
    {
        if (!preserve)
        {
            Volatile.Write(ref slot, entry.Value);
            return;
        }

        ulong current = slot;
        while (true)
        {
            ulong seen = Interlocked.CompareExchange(ref slot, entry.Value | (current & (PageTableEntry.Accessed | PageTableEntry.Dirty)), current);
            if (seen == current)
            {
                return;
            }

            current = seen;
        }
    }
}
