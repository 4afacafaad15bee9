// Copies between pages, of which one side or both are granted.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>GNTTABOP_copy: each side is a grant reference of some domain or a frame of the caller's own.</summary>
internal static class GrantCopies
{
    private const uint PageBytes = 4096;

    /// <summary>Errors: PermissionDenied, BadDomain, BadReference, BadPage, BadCopyArgument, GeneralError.</summary>
    internal static GrantStatus Copy(ref Vcpu vcpu, in GrantCopy request)
    {
        bool fromGrant = (request.Flags & GrantCopy.SourceIsReference) != 0;
        bool toGrant = (request.Flags & GrantCopy.DestinationIsReference) != 0;
        GrantStatus status = TryResolve(ref vcpu, request.Source.DomainId, fromGrant, out ushort sourceId);
        if (status != GrantStatus.Okay)
        {
            return status;
        }

        status = TryResolve(ref vcpu, request.Destination.DomainId, toGrant, out ushort destinationId);
        if (status != GrantStatus.Okay)
        {
            return status;
        }

        if ((uint)request.Source.Offset + request.Length > PageBytes || (uint)request.Destination.Offset + request.Length > PageBytes)
        {
            return GrantStatus.BadCopyArgument;
        }

        ref Domain source = ref DomainTable.At(sourceId);
        ref Domain destination = ref DomainTable.At(destinationId);
        status = TryClaim(ref source, vcpu.DomainId, request.Source.Page, fromGrant, false, out Mfn from);
        if (status != GrantStatus.Okay)
        {
            return status;
        }

        status = TryClaim(ref destination, vcpu.DomainId, request.Destination.Page, toGrant, true, out Mfn to);
        if (status == GrantStatus.Okay)
        {
            PhysicalMemory.Bytes(from).Slice(request.Source.Offset, request.Length).CopyTo(PhysicalMemory.Bytes(to).Slice(request.Destination.Offset, request.Length));
            Release(ref destination, request.Destination.Page, toGrant, true, to);
        }

        Release(ref source, request.Source.Page, fromGrant, false, from);
        return status;
    }

    private static GrantStatus TryResolve(ref Vcpu vcpu, ushort requested, bool isGrant, out ushort id)
    {
        id = requested == DomainIds.Self ? vcpu.DomainId : requested;
        if (requested != DomainIds.Self && !isGrant)
        {
            return GrantStatus.PermissionDenied;
        }

        return DomainTable.Exists(id) ? GrantStatus.Okay : GrantStatus.BadDomain;
    }

    /// <summary>Pins the grant, if it is one, and takes the frame's references.</summary>
    private static GrantStatus TryClaim(ref Domain owner, ushort user, ulong page, bool isGrant, bool writes, out Mfn frame)
    {
        frame = new Mfn(page);
        if (isGrant)
        {
            GrantStatus pinned = GrantPins.TryPin(ref owner, user, (uint)page, writes ? ActiveGrant.HostWrite : ActiveGrant.HostRead, out frame);
            if (pinned != GrantStatus.Okay)
            {
                return pinned;
            }
        }

        GrantStatus status = GrantPins.TryTakeFrame(ref owner, frame, writes);
        if (status != GrantStatus.Okay && isGrant)
        {
            GrantPins.Unpin(ref owner, (uint)page, writes ? ActiveGrant.HostWrite : ActiveGrant.HostRead);
        }

        return status;
    }

    private static void Release(ref Domain owner, ulong page, bool isGrant, bool writes, Mfn frame)
    {
        GrantPins.DropFrame(frame, writes);
        if (isGrant)
        {
            GrantPins.Unpin(ref owner, (uint)page, writes ? ActiveGrant.HostWrite : ActiveGrant.HostRead);
        }
    }
}
