// Giving a frame away to a domain that has offered to take one.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>GNTTABOP_transfer: the frame changes its owner, contents and all, and the receiver's entry then names it.</summary>
internal static class GrantTransfers
{
    private const int Attempts = 5;

    /// <summary>Errors: BadPage (not the caller's, or in use), BadDomain, GeneralError (no such offer, or the receiver is full).</summary>
    internal static GrantStatus Transfer(ref Vcpu vcpu, in GrantTransfer request)
    {
        Mfn frame = new(request.Frame);
        if (!DomainFrames.TryClaim(ref vcpu.Domain, frame))
        {
            return GrantStatus.BadPage;
        }

        GrantStatus status = TryAccept(ref vcpu, request.DomainId, request.Reference, out ulong pfn);
        if (status != GrantStatus.Okay)
        {
            DomainFrames.Unclaim(frame);
            return status;
        }

        // The giver's translations must be gone before the receiver can be given any.
        TlbClock.RequestFlush(vcpu.DomainId);
        TlbClock.Settle();
        ref Domain receiver = ref DomainTable.At(request.DomainId);
        DomainFrames.Disown(ref vcpu.Domain);
        DomainFrames.Adopt(ref receiver, frame);
        MachineToPhysical.Set(frame, pfn);
        ref ulong slot = ref receiver.Grants.EntryAt(request.Reference);
        Volatile.Write(ref slot, (slot & 0xFFFF_FFFF) | (frame.Value << 32));
        Interlocked.Or(ref slot, GrantEntryFlags.TransferCompleted);
        return GrantStatus.Okay;
    }

    /// <summary>Commits the receiver's offer; its frame field says which pseudo-physical frame the new frame shall be.</summary>
    private static GrantStatus TryAccept(ref Vcpu vcpu, ushort receiverId, uint reference, out ulong pfn)
    {
        pfn = 0;
        if (!DomainTable.Exists(receiverId))
        {
            return GrantStatus.BadDomain;
        }

        ref Domain receiver = ref DomainTable.At(receiverId);
        if (reference >= receiver.Grants.EntryCount || (receiverId != vcpu.DomainId && !DomainFrames.HasRoom(ref receiver, 1)))
        {
            return GrantStatus.GeneralError;
        }

        ref ulong slot = ref receiver.Grants.EntryAt(reference);
        ulong seen = Volatile.Read(ref slot);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            if ((ushort)seen != GrantEntryFlags.AcceptTransfer || (ushort)(seen >> 16) != vcpu.DomainId)
            {
                return GrantStatus.GeneralError;
            }

            ulong found = Interlocked.CompareExchange(ref slot, seen | GrantEntryFlags.TransferCommitted, seen);
            if (found == seen)
            {
                pfn = seen >> 32;
                return GrantStatus.Okay;
            }

            seen = found;
        }

        return GrantStatus.GeneralError;
    }
}
