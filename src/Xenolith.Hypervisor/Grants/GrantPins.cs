// Using a grant entry: the marks that its domain sees, and the counts that it does not.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>
/// A user of a grant pins the entry: the first one fixes user and frame and sets "reading", the first writer "writing"; the last one
/// to go takes them back. The references of the frame are each user's own affair.
/// </summary>
internal static class GrantPins
{
    private const int Attempts = 5;

    /// <summary>
    /// Adds pins (see <see cref="ActiveGrant"/>) for a user. Errors: BadReference, GeneralError (not granted to this user, not
    /// writable, too many pins, or the entry keeps changing), BadPage (the frame is not the granting domain's).
    /// </summary>
    internal static GrantStatus TryPin(ref Domain granting, ushort user, uint reference, uint pins, out Mfn frame)
    {
        LockOrder.AssertHeld();
        frame = Mfn.Invalid;
        if (reference >= granting.Grants.EntryCount)
        {
            return GrantStatus.BadReference;
        }

        ref ActiveGrant active = ref granting.Grants.ActiveAt(reference);
        if (active.Pins != 0 && (active.DomainId != user || (active.Pins & ActiveGrant.FullMask) != 0))
        {
            return GrantStatus.GeneralError;
        }

        bool writes = (pins & ActiveGrant.WriteMask) != 0;
        if (active.Pins == 0 || (writes && (active.Pins & ActiveGrant.WriteMask) == 0))
        {
            GrantStatus status = TryMark(ref granting, user, reference, writes, out Mfn named);
            if (status != GrantStatus.Okay)
            {
                return status;
            }

            if (active.Pins == 0)
            {
                granting.Grants.PinnedEntries++;
                active.DomainId = user;
                active.Frame = (uint)named.Value;
            }
        }

        active.Pins += pins;
        frame = new Mfn(active.Frame);
        if (!FrameTable.IsOwnedBy(frame, granting.Id))
        {
            Unpin(ref granting, reference, pins);
            return GrantStatus.BadPage;
        }

        return GrantStatus.Okay;
    }

    /// <summary>Takes pins back, and the marks with the last of their kind.</summary>
    internal static void Unpin(ref Domain granting, uint reference, uint pins)
    {
        LockOrder.AssertHeld();
        ref ActiveGrant active = ref granting.Grants.ActiveAt(reference);
        active.Pins -= pins;
        uint cleared = active.Pins == 0 ? GrantEntryFlags.Reading : 0;
        cleared |= (active.Pins & ActiveGrant.WriteMask) == 0 ? GrantEntryFlags.Writing : 0;
        if (cleared != 0)
        {
            Interlocked.And(ref granting.Grants.EntryAt(reference), ~(ulong)cleared);
        }

        if (active.Pins == 0)
        {
            granting.Grants.PinnedEntries--;
            DomainDestruction.OnRelease(ref granting);
        }
    }

    /// <summary>The references of one user of the frame: general, and writable if it writes. Errors: BadPage, GeneralError (in use as a table).</summary>
    internal static GrantStatus TryTakeFrame(ref Domain granting, Mfn frame, bool writes)
    {
        if (!writes)
        {
            return DomainFrames.TryGet(frame, granting.Id) ? GrantStatus.Okay : GrantStatus.BadPage;
        }

        if (!FrameTable.IsOwnedBy(frame, granting.Id))
        {
            return GrantStatus.BadPage;
        }

        return PageTypes.TryTakeWritable(ref granting, frame) == XenError.None ? GrantStatus.Okay : GrantStatus.GeneralError;
    }

    internal static void DropFrame(Mfn frame, bool writes)
    {
        if (writes)
        {
            PageTypes.DropLeaf(frame);
        }
        else
        {
            DomainFrames.Put(frame);
        }
    }

    /// <summary>Sets the marks in the shared entry against whatever its domain does to it meanwhile.</summary>
    private static GrantStatus TryMark(ref Domain granting, ushort user, uint reference, bool writes, out Mfn frame)
    {
        ref ulong slot = ref granting.Grants.EntryAt(reference);
        ulong seen = Volatile.Read(ref slot);
        frame = Mfn.Invalid;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            uint flags = (ushort)seen;
            if ((flags & (GrantEntryFlags.TypeMask | GrantEntryFlags.SubPage)) != GrantEntryFlags.PermitAccess || (ushort)(seen >> 16) != user
                || (writes && (flags & GrantEntryFlags.ReadOnly) != 0))
            {
                return GrantStatus.GeneralError;
            }

            ulong marked = seen | GrantEntryFlags.Reading | (writes ? GrantEntryFlags.Writing : 0);
            ulong found = Interlocked.CompareExchange(ref slot, marked, seen);
            if (found == seen)
            {
                frame = new Mfn(seen >> 32);
                return GrantStatus.Okay;
            }

            seen = found;
        }

        return GrantStatus.GeneralError;
    }
}
