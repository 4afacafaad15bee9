// The page type system: the security of the machine.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>
/// Invariant: no guest has a writable mapping of a frame that is in use as a page table or descriptor table, and every present
/// entry of a table in use points to a frame that the domain may use in that way.
/// Each type reference is accompanied by one general reference.
/// </summary>
public static partial class PageTypes
{
    /// <summary>
    /// Takes one general and one type reference of a frame that the domain owns, promoting it if need be.
    /// Errors: Invalid (not the domain's, other type in use, bad contents), Restart (preempted: ask again to go on).
    /// </summary>
    public static XenError TryTake(ref Domain domain, Mfn frame, PageType type, ref Preemption preemption)
    {
        LockOrder.AssertHeld();
        if (!FrameTable.IsOwnedBy(frame, domain.Id))
        {
            return XenError.Invalid;
        }

        ref FrameInfo info = ref FrameTable.At(frame);
        if (info.TypeCount != 0)
        {
            if (info.Type != type || info.GeneralCount >= FrameInfo.CountLimit || info.TypeCount >= FrameInfo.CountLimit)
            {
                return XenError.Invalid;
            }

            if (info.IsDismantling)
            {
                return Dismantle(ref domain, frame, ref preemption) ? TryTake(ref domain, frame, type, ref preemption) : XenError.Restart;
            }

            if (info.IsBuilding)
            {
                // The interrupted builder's references are inherited by whoever completes the work.
                return Build(ref domain, frame, type, info.Cursor, ref preemption);
            }

            info.AddGeneral();
            info.AddType();
            return XenError.None;
        }

        if (info.GeneralCount is 0 or >= FrameInfo.CountLimit)
        {
            return XenError.Invalid;
        }

        bool wasWritable = info.Type == PageType.Writable;
        uint stamp = info.Note;
        if (type != PageType.Writable)
        {
            // A page that the hypervisor shares with the domain stays ordinary memory for ever.
            if (!info.IsAllocated)
            {
                return XenError.Invalid;
            }

            if (wasWritable)
            {
                TlbClock.RequestFlushSince(domain.Id, stamp);
            }

            // Another processor's guest could write what is checked below, and after it has been checked.
            TlbClock.SettleElsewhere();
        }
        else if (!wasWritable)
        {
            // Another processor may still walk it as the table that it was.
            TlbClock.SettleElsewhere();
        }

        info.AddGeneral();
        info.StartType(type);
        if (type is PageType.Writable)
        {
            info.IsValidated = true;
            return XenError.None;
        }

        return type == PageType.DescriptorTable ? BuildDescriptors(frame) : Build(ref domain, frame, type, 0, ref preemption);
    }

    /// <summary>Drops one type and one general reference. False: preempted; the frame is to be kept as deferred work.</summary>
    public static bool TryDrop(ref Domain domain, Mfn frame, ref Preemption preemption)
    {
        LockOrder.AssertHeld();
        ref FrameInfo info = ref FrameTable.At(frame);
        PageType type = info.Type;
        if (info.TypeCount > 1)
        {
            info.DropType();
            DomainFrames.Put(frame);
            return true;
        }

        if (type is PageType.L1 or PageType.L2 or PageType.L3 or PageType.L4)
        {
            return Dismantle(ref domain, frame, ref preemption);
        }

        EndType(frame);
        return true;
    }

    /// <summary>Drops what an entry of a table above level 1 holds of the table that it names. False: as for <see cref="TryDrop"/>.</summary>
    internal static bool TryDropEntry(ref Domain domain, Mfn table, int level, Mfn target, ref Preemption preemption)
    {
        if (target == table)
        {
            return true;
        }

        LinearTables.Forget(table, target, level);
        return TryDrop(ref domain, target, ref preemption);
    }

    /// <summary>Drops a reference that can never need more than one step: writable and descriptor frames.</summary>
    public static void DropLeaf(Mfn frame)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        if (info.TypeCount > 1)
        {
            info.DropType();
            DomainFrames.Put(frame);
            return;
        }

        EndType(frame);
    }

    /// <summary>A writable reference for the hypervisor itself or for a mapping. Errors: Invalid, Busy (in use as another type).</summary>
    public static XenError TryTakeWritable(ref Domain domain, Mfn frame)
    {
        Preemption never = Preemption.Never;
        return TryTake(ref domain, frame, PageType.Writable, ref never);
    }

    /// <summary>The last type reference goes: stamp the frame, drop the general reference that came with it.</summary>
    private static void EndType(Mfn frame)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        info.DropType();
        info.IsValidated = false;
        info.IsDismantling = false;
        info.IsBuilding = false;
        info.Note = TlbClock.Stamp;
        DomainFrames.Put(frame);
    }

    private static XenError BuildDescriptors(Mfn frame)
    {
        for (int i = 0; i < 512; i++)
        {
            ulong descriptor = PhysicalMemory.Word(frame, i);
            if (!DescriptorRules.TryFix(ref descriptor))
            {
                EndType(frame);
                return XenError.Invalid;
            }

            PhysicalMemory.Word(frame, i) = descriptor;
        }

        FrameTable.At(frame).IsValidated = true;
        return XenError.None;
    }

    /// <summary>Checks the entries from <paramref name="from"/> on, taking the references of each.</summary>
    private static XenError Build(ref Domain domain, Mfn frame, PageType type, int from, ref Preemption preemption)
    {
        int level = (int)type;
        FrameTable.At(frame).IsBuilding = false;
        Span<ulong> words = PhysicalMemory.Words(frame);
        for (int i = from; i < words.Length; i++)
        {
            ulong entry = words[i];
            if ((entry & PageTableEntry.Present) == 0)
            {
                continue;
            }

            if (level == 4 && i is >= HypervisorAddressSpace.FirstSlot and < HypervisorAddressSpace.EndSlot)
            {
                continue;
            }

            // The first step is made without asking, so that a restarted call gets on.
            if (level > 1 && i > from && preemption.IsNeeded)
            {
                return Suspend(frame, i);
            }

            XenError error = ValidatedEntry.TryTake(ref domain, domain.Id, frame, level, entry, ref preemption, out ValidatedEntry validated);
            if (error == XenError.Restart)
            {
                return Suspend(frame, i);
            }

            if (error != XenError.None)
            {
                return Abandon(ref domain, frame, type, i, ref preemption);
            }

            words[i] = validated.Value;
        }

        if (level == 4)
        {
            HypervisorAddressSpace.FillHypervisorSlots(frame, true);
        }

        FrameTable.At(frame).IsValidated = true;
        return XenError.None;
    }

    private static XenError Suspend(Mfn frame, int at)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        info.IsBuilding = true;
        info.StopAt(at, TableStop.BetweenEntries);
        return XenError.Restart;
    }

    /// <summary>
    /// A bad entry at <paramref name="at"/>: what was taken below it has to be given back. An L1 table does so at once; a larger one
    /// is left dismantling, and the caller keeps it as deferred work. A table that dismantles has one reference, which is nobody's but
    /// its own: who asks for the table meanwhile completes the work, and no parent or vcpu may then believe to hold it still.
    /// </summary>
    private static XenError Abandon(ref Domain domain, Mfn frame, PageType type, int at, ref Preemption preemption)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        info.IsDismantling = true;
        info.StopAt(at, TableStop.InsideRefused);
        if (type == PageType.L1)
        {
            Dismantle(ref domain, frame, ref preemption);
        }

        return XenError.Invalid;
    }

    /// <summary>
    /// A dismantling that stopped (or a promotion that failed) inside an entry's table left that table dismantling, and the entry holds
    /// nothing of it any more: whoever comes first completes it, the innermost first. False: preempted again.
    /// </summary>
    private static bool TryFinishInner(ref Domain domain, Mfn frame, ref Preemption preemption)
    {
        while (TryFindInner(frame, out Mfn innermost))
        {
            while (TryFindInner(innermost, out Mfn inner))
            {
                innermost = inner;
            }

            if (!DismantleEntries(ref domain, innermost, ref preemption))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The table inside which a table's dismantling stopped, if it still dismantles. The chain of these ends: an entry that was taken named
    /// a table that did not dismantle then, so each began to dismantle later than the one before it, and an entry that was refused is
    /// followed to a lower level only, because what it names of its own level it has never held.
    /// </summary>
    private static bool TryFindInner(Mfn frame, out Mfn inner)
    {
        inner = frame;
        ref FrameInfo info = ref FrameTable.At(frame);
        if (!info.IsDismantling || info.Type == PageType.L1 || info.Stop == TableStop.BetweenEntries)
        {
            return false;
        }

        PageTableEntry entry = new(PhysicalMemory.Word(frame, info.Cursor));
        if (!entry.IsPresent || entry.Frame == frame || !FrameTable.IsOwnedBy(entry.Frame, info.Owner))
        {
            return false;
        }

        inner = entry.Frame;
        ref FrameInfo child = ref FrameTable.At(inner);
        return child.TypeCount != 0 && child.IsDismantling && (child.Type == info.Type - 1 || (child.Type == info.Type && info.Stop == TableStop.InsideDropped));
    }

    /// <summary>Gives the entries' references back, last entry first; then the table is nobody's. False: preempted.</summary>
    private static bool Dismantle(ref Domain domain, Mfn frame, ref Preemption preemption)
        => TryFinishInner(ref domain, frame, ref preemption) && DismantleEntries(ref domain, frame, ref preemption);

    private static bool DismantleEntries(ref Domain domain, Mfn frame, ref Preemption preemption)
    {
        ref FrameInfo info = ref FrameTable.At(frame);
        int level = (int)info.Type;
        int cursor = info.IsDismantling || info.IsBuilding ? info.Cursor : 512;
        info.IsDismantling = true;
        info.IsBuilding = false;
        info.IsValidated = false;
        Span<ulong> words = PhysicalMemory.Words(frame);
        for (int i = Math.Min(cursor, words.Length) - 1; i >= 0; i--)
        {
            PageTableEntry entry = new(words[i]);
            if (!entry.IsPresent || (level == 4 && i is >= HypervisorAddressSpace.FirstSlot and < HypervisorAddressSpace.EndSlot))
            {
                continue;
            }

            if (level > 1 && i < cursor - 1 && preemption.IsNeeded)
            {
                info.StopAt(i + 1, TableStop.BetweenEntries);
                return false;
            }

            if (level == 1)
            {
                DropL1Target(entry);
            }
            else if (!TryDropEntry(ref domain, frame, level, entry.Frame, ref preemption))
            {
                info.StopAt(i, TableStop.InsideDropped);
                return false;
            }
        }

        EndType(frame);
        return true;
    }

    /// <summary>Gives back what a present L1 entry holds of its target; device memory keeps no counts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void DropL1Target(PageTableEntry entry)
    {
        Mfn frame = entry.Frame;
        ref FrameInfo info = ref FrameTable.Find(frame);
        if (info.Owner is DomainIds.Io or DomainIds.Invalid)
        {
            return;
        }

        if (entry.IsWritable)
        {
            info.DropWritable(TlbClock.Stamp);
        }

        DomainFrames.Put(ref info, frame);
    }
}
