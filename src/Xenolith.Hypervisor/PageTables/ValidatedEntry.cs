// The only value that can be stored into a page table in use.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>
/// An entry whose bits have been checked and whose target's references have been taken. Only this struct's own members can make
/// one that is present; the default value is an entry that is not.
/// </summary>
public readonly struct ValidatedEntry
{
    private readonly ulong _value;

    private ValidatedEntry(ulong value) => _value = value;

    internal ulong Value => _value;

    internal bool IsWritable => (_value & PageTableEntry.Writable) != 0;

    internal bool IsPresent => (_value & PageTableEntry.Present) != 0;

    /// <summary>An entry that is not present may hold anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ValidatedEntry NotPresent(ulong value) => new(value & ~PageTableEntry.Present);

    /// <summary>Same target and same rights as an entry in force, other flags: nothing is taken. False when that does not hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryReflag(ulong current, ulong proposed, int level, bool mayChooseCache, out ValidatedEntry entry)
    {
        bool allowed = level == 1 ? EntryRules.IsAllowedL1(proposed, mayChooseCache) : EntryRules.IsAllowedTable(proposed);
        bool same = (current & proposed & PageTableEntry.Present) != 0 && ((current ^ proposed) & ~EntryRules.FastBits) == 0;
        entry = same && allowed ? new ValidatedEntry(level == 1 ? EntryRules.AdjustL1(proposed) : EntryRules.AdjustTable(proposed, level)) : default;
        return same && allowed;
    }

    /// <summary>
    /// A level-1 entry that keeps its target and gains or loses the right to write, as mprotect does: the general reference stays, a
    /// gained right takes the type reference here, a lost one is dropped by the caller once the entry is stored. False when the
    /// change is another, or the right cannot be had: then <see cref="TryTakeL1"/> decides.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryChangeRight(ulong current, ulong proposed, ushort targetOwner, bool mayChooseCache, out ValidatedEntry entry)
    {
        entry = default;
        Mfn target = new PageTableEntry(proposed).Frame;
        if ((current & PageTableEntry.Present) == 0 || ((current ^ proposed) & ~(EntryRules.FastBits | PageTableEntry.Writable)) != 0
            || !EntryRules.IsAllowedL1(proposed, mayChooseCache) || !FrameTable.IsOwnedBy(target, targetOwner))
        {
            return false;
        }

        if ((proposed & PageTableEntry.Writable) != 0)
        {
            ref FrameInfo info = ref FrameTable.At(target);
            if (info.TypeCount == 0)
            {
                info.StartType(PageType.Writable);
                info.IsValidated = true;
            }
            else if (info.Type == PageType.Writable && info.TypeCount < FrameInfo.CountLimit)
            {
                info.AddType();
            }
            else
            {
                return false;
            }
        }

        entry = new ValidatedEntry(EntryRules.AdjustL1(proposed));
        return true;
    }

    /// <summary>
    /// Checks a proposed entry of a table of <paramref name="level"/> and takes its references. <paramref name="targetOwner"/> owns
    /// the target frame. Errors: Invalid, NotPermitted (I/O), Busy (target in use as another type, or another's), Restart.
    /// </summary>
    internal static XenError TryTake(
        ref Domain domain, ushort targetOwner, Mfn table, int level, ulong proposed, ref Preemption preemption, out ValidatedEntry entry)
    {
        entry = default;
        if ((proposed & PageTableEntry.Present) == 0)
        {
            entry = new ValidatedEntry(proposed);
            return XenError.None;
        }

        if (level == 1)
        {
            return TryTakeL1(ref domain, targetOwner, proposed, out entry);
        }

        if (!EntryRules.IsAllowedTable(proposed))
        {
            return XenError.Invalid;
        }

        Mfn target = new PageTableEntry(proposed).Frame;
        if (target == table)
        {
            // A self-mapping shows the table to its owner; it must not let it write.
            if ((proposed & PageTableEntry.Writable) != 0)
            {
                return XenError.Invalid;
            }
        }
        else
        {
            XenError error = PageTypes.TryTake(ref domain, target, (PageType)(level - 1), ref preemption);
            if (error != XenError.None)
            {
                return error;
            }
        }

        entry = new ValidatedEntry(EntryRules.AdjustTable(proposed, level));
        return XenError.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static XenError TryTakeL1(ref Domain domain, ushort targetOwner, ulong proposed, out ValidatedEntry entry)
    {
        entry = default;
        if (!EntryRules.IsAllowedL1(proposed, domain.IsPrivileged))
        {
            return XenError.Invalid;
        }

        Mfn target = new PageTableEntry(proposed).Frame;
        if (!FrameTable.IsRam(target))
        {
            ulong adjusted = EntryRules.AdjustL1(proposed);
            if (!PlatformPermissions.MayMapFrame(ref domain, target, ref adjusted))
            {
                return target.Value == PageTableEntry.FrameMask >> 12 ? XenError.Invalid : XenError.NotPermitted;
            }

            entry = new ValidatedEntry(adjusted);
            return XenError.None;
        }

        if (!DomainFrames.TryGet(target, targetOwner))
        {
            return XenError.Busy;
        }

        if ((proposed & PageTableEntry.Writable) != 0)
        {
            ref FrameInfo info = ref FrameTable.At(target);
            if (info.TypeCount == 0)
            {
                info.StartType(PageType.Writable);
                info.IsValidated = true;
            }
            else if (info.Type == PageType.Writable && info.TypeCount < FrameInfo.CountLimit)
            {
                info.AddType();
            }
            else
            {
                DomainFrames.Put(target);
                return XenError.Busy;
            }
        }

        entry = new ValidatedEntry(EntryRules.AdjustL1(proposed));
        return XenError.None;
    }
}
