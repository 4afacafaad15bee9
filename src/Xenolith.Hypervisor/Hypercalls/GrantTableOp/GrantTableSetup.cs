// The operations about a grant table as a whole.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>setup_table, query_size, get_status_frames, set_version, get_version (public grant_table.h). Only version 1 exists.</summary>
internal static class GrantTableSetup
{
    private const uint Version1 = 1;

    /// <summary>Operations that take exactly one structure. Errors: Invalid (another count), Fault.</summary>
    internal static HypercallResult Single(ref HypercallCall call, GrantOperation operation)
    {
        if ((uint)call.Argument2 != 1)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        GuestAddress at = new(call.Argument1);
        bool copied = operation switch
        {
            GrantOperation.SetupTable => TrySetupTable(ref call, at),
            GrantOperation.QuerySize => TryQuerySize(ref call, at),
            _ => TryGetStatusFrames(ref call, at),
        };
        return copied ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    internal static HypercallResult SetVersion(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint version))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (version is not (1 or 2))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        HypercallResult result = version == Version1 ? HypercallResult.Success : HypercallResult.From(XenError.NotImplemented);
        return GuestMemory.TryWrite(at, Version1) ? result : HypercallResult.From(XenError.Fault);
    }

    internal static HypercallResult GetVersion(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out ushort requested))
        {
            return HypercallResult.From(XenError.Fault);
        }

        return TryResolve(ref call, requested, out _) switch
        {
            GrantStatus.Okay => GuestMemory.TryWrite(at.Add(4), Version1) ? HypercallResult.Success : HypercallResult.From(XenError.Fault),
            GrantStatus.BadDomain => HypercallResult.From(XenError.NoSuchDomain),
            _ => HypercallResult.From(XenError.NotPermitted),
        };
    }

    private static bool TrySetupTable(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantSetupTable request))
        {
            return false;
        }

        GrantStatus status = TryResolve(ref call, request.DomainId, out ushort id);
        if (status == GrantStatus.Okay)
        {
            ref Domain domain = ref DomainTable.At(id);
            status = GrantTable.TryGrow(ref domain, request.FrameCount) ? ListFrames(ref domain, in request) : GrantStatus.GeneralError;
        }

        return GuestMemory.TryWrite(at.Add(GrantSetupTable.StatusOffset), (short)status);
    }

    private static GrantStatus ListFrames(ref Domain domain, in GrantSetupTable request)
    {
        for (uint i = 0; i < request.FrameCount; i++)
        {
            if (!GuestMemory.TryWrite(new GuestAddress(request.FrameList + (i * 8)), domain.Grants.FrameAt((int)i).Value))
            {
                return GrantStatus.BadVirtualAddress;
            }
        }

        return GrantStatus.Okay;
    }

    private static bool TryQuerySize(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out GrantQuerySize request))
        {
            return false;
        }

        GrantStatus status = TryResolve(ref call, request.DomainId, out ushort id);
        if (status == GrantStatus.Okay)
        {
            request.FrameCount = (uint)DomainTable.At(id).Grants.FrameCount;
            request.MaximumFrameCount = DomainTable.At(id).Settings.MaximumGrantFrames;
        }

        request.Status = (short)status;
        return GuestMemory.TryWrite(at, in request);
    }

    /// <summary>Status frames belong to version 2: a version-1 table has none to give.</summary>
    private static bool TryGetStatusFrames(ref HypercallCall call, GuestAddress at)
    {
        const ulong DomainOffset = 4;
        const ulong StatusOffset = 6;
        if (!GuestMemory.TryRead(at.Add(DomainOffset), out ushort requested))
        {
            return false;
        }

        GrantStatus status = TryResolve(ref call, requested, out _);
        return GuestMemory.TryWrite(at.Add(StatusOffset), (short)(status == GrantStatus.Okay ? GrantStatus.GeneralError : status));
    }

    /// <summary>Whose table is meant. Errors: BadDomain (there is none), PermissionDenied (another's).</summary>
    private static GrantStatus TryResolve(ref HypercallCall call, ushort requested, out ushort id)
        => DomainControl.TryServe(ref call.Domain, requested, out id) switch
        {
            XenError.None => GrantStatus.Okay,
            XenError.NoSuchDomain => GrantStatus.BadDomain,
            _ => GrantStatus.PermissionDenied,
        };
}
