// The only value that can be stored into a page table in use.
using System.Runtime.CompilerServices;
using System.Threading;
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

    /// <summary>
    /// A mapping of a granted frame. The grant operation holds the references that the entry stands for (general, and writable
    /// unless the flags say read-only) and gives them to it. <paramref name="flags"/>: GNTMAP_* (public grant_table.h).
    /// </summary>
    internal static ValidatedEntry OfGrant(Mfn frame, uint flags)
    {
        // Nobody executes what another domain may write.
        ulong value = (frame.Value << 12) | PageTableEntry.Present | PageTableEntry.Accessed | PageTableEntry.Dirty | PageTableEntry.NoExecute;
        value |= (flags & GrantMapFlags.ReadOnly) == 0 ? PageTableEntry.Writable : 0;
        value |= (flags & GrantMapFlags.ApplicationMap) != 0 ? PageTableEntry.User : 0;
        value |= ((ulong)(flags >> GrantMapFlags.AvailableShift) << 9) & PageTableEntry.AvailableLow;
        return new ValidatedEntry(EntryRules.AdjustL1(value));
    }

    /// <summary>Takes the entry out of a level-1 slot in use, which is left empty: it moves, with the references it stands for.</summary>
    internal static ValidatedEntry TakenOut(ref ulong slot) => new(Interlocked.Exchange(ref slot, 0));

    /// <summary>A table's entry that keeps its target and rights and changes other flags: nothing is taken. False when that does not hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryReflagTable(ulong current, ulong proposed, int level, out ValidatedEntry entry)
    {
        bool same = (current & proposed & PageTableEntry.Present) != 0 && ((current ^ proposed) & ~EntryRules.FastBits) == 0;
        bool allowed = same && EntryRules.IsAllowedTable(proposed);
        entry = allowed ? new ValidatedEntry(EntryRules.AdjustTable(proposed, level)) : default;
        return allowed;
    }

    /// <summary>
    /// A level-1 entry that keeps its target. <paramref name="right"/> is how the right to write changes: when it is gained, the type
    /// reference is taken here; when it is lost, the caller drops that once the entry is stored. The general reference stays. False:
    /// the flags are not allowed, or the right cannot change in this short way; then <see cref="TryTakeL1"/> decides.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryReflagL1(ushort targetOwner, ulong proposed, RightChange right, bool mayChooseCache, out ValidatedEntry entry)
    {
        entry = default;
        if (!EntryRules.IsAllowedL1(proposed, mayChooseCache))
        {
            return false;
        }

        if (right != RightChange.None)
        {
            // Device memory keeps no counts, and what may be written there is not decided here.
            ref FrameInfo info = ref FrameTable.Find(new PageTableEntry(proposed).Frame);
            if (info.Owner != targetOwner || targetOwner >= DomainIds.FirstReserved || (right == RightChange.Gained && !info.TryAddWritable()))
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
        XenError error = LinearTables.IsLinear(ref domain, table, target, level)
            ? LinearTables.TryTake(table, target, level, (proposed & PageTableEntry.Writable) != 0)
            : PageTypes.TryTake(ref domain, target, (PageType)(level - 1), ref preemption);
        if (error != XenError.None)
        {
            return error;
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
        ref FrameInfo info = ref FrameTable.Find(target);
        if (info.Owner is DomainIds.Io or DomainIds.Invalid)
        {
            return TryMapDevice(ref domain, target, proposed, out entry);
        }

        if ((proposed & EntryRules.CacheBits) != 0 && info.Owner == targetOwner && !info.IsAllocated)
        {
            // The hypervisor itself works with the pages that it shares, through the cache.
            return XenError.AccessDenied;
        }

        if (info.Owner != targetOwner || info.GeneralCount is 0 or >= FrameInfo.CountLimit
            || ((proposed & PageTableEntry.Writable) != 0 && !info.TryAddWritable()))
        {
            return XenError.Busy;
        }

        info.AddGeneral();
        entry = new ValidatedEntry(EntryRules.AdjustL1(proposed));
        return XenError.None;
    }

    /// <summary>Device memory: no counts are kept; the domain's permissions decide.</summary>
    private static XenError TryMapDevice(ref Domain domain, Mfn target, ulong proposed, out ValidatedEntry entry)
    {
        entry = default;
        ulong adjusted = EntryRules.AdjustL1(proposed);
        if (!PlatformPermissions.MayMapFrame(ref domain, target, ref adjusted))
        {
            return target.Value == PageTableEntry.FrameMask >> 12 ? XenError.Invalid : XenError.NotPermitted;
        }

        entry = new ValidatedEntry(adjusted);
        return XenError.None;
    }
}
