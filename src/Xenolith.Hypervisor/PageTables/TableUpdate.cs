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
            return WriteL1(ref domain, targetOwner, ref PhysicalMemory.Word(table, index), proposed, preserve);
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
        else if (ValidatedEntry.TryReflagTable(current, proposed, level, out entry))
        {
            Store(ref PhysicalMemory.Word(table, index), entry, preserve);
            TlbClock.RequestFlush(domain.Id);
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
        TlbClock.RequestFlush(domain.Id);
        PageTableEntry old = new(current);
        if (old.IsPresent && !PageTypes.TryDropEntry(ref domain, table, level, old.Frame, ref preemption))
        {
            DeferredWork.Set(ref vcpu, old.Frame);
        }

        return XenError.None;
    }

    /// <summary>
    /// As <see cref="Write"/> for a slot of a validated L1 table: the most frequent operation of all, and nearly always one of three:
    /// the entry is made or unmade, or it keeps its target and only flags change, the right to write perhaps among them.
    /// Errors: Invalid, NotPermitted, Busy.
    /// </summary>
    internal static XenError WriteL1(ref Domain domain, ushort targetOwner, ref ulong slot, ulong proposed, bool preserve)
    {
        ulong current = slot;
        ulong change = (current ^ proposed) & ~EntryRules.FastBits;
        ValidatedEntry entry;
        if ((proposed & PageTableEntry.Present) == 0)
        {
            entry = ValidatedEntry.NotPresent(proposed);
        }
        else if ((change & ~PageTableEntry.Writable) == 0
            && ValidatedEntry.TryReflagL1(targetOwner, proposed, RightOf(change, proposed), domain.IsPrivileged, out entry))
        {
            Store(ref slot, entry, preserve);
            if ((change & current) != 0)
            {
                FrameTable.At(new PageTableEntry(current).Frame).DropWritable(TlbClock.Stamp);
            }

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static RightChange RightOf(ulong change, ulong proposed)
        => change == 0 ? RightChange.None : (change & proposed) != 0 ? RightChange.Gained : RightChange.Lost;

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
