// Whose tables and whose frames a page-table hypercall means.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>The foreign-domain argument of the page-table hypercalls, resolved in one place.</summary>
internal static class ForeignDomain
{
    /// <summary>
    /// Low 16 bits: owner of the target frames; high 16 bits: owner of the tables plus one, 0 = the caller.
    /// Errors: NoSuchDomain, NotPermitted.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static XenError TryResolve(ref HypercallCall call, uint argument, out ushort tableOwner, out ushort targetOwner)
    {
        tableOwner = call.Vcpu.DomainId;
        targetOwner = tableOwner;
        return argument == DomainIds.Self ? XenError.None : TryResolveOther(ref call, argument, out tableOwner, out targetOwner);
    }

    private static XenError TryResolveOther(ref HypercallCall call, uint argument, out ushort tableOwner, out ushort targetOwner)
    {
        ushort self = call.Vcpu.DomainId;
        tableOwner = self;
        targetOwner = self;
        uint tables = argument >> 16;
        if (tables != 0)
        {
            // The owner of tables is always named by its number: neither SELF nor a special domain has any.
            ushort owner = (ushort)(tables - 1);
            if (owner != self && !DomainTable.Exists(owner))
            {
                return XenError.NoSuchDomain;
            }

            if (!DomainControl.MayServe(ref call.Domain, owner))
            {
                return XenError.NotPermitted;
            }

            tableOwner = owner;
        }

        return TryResolveTarget(ref call, (ushort)argument, out targetOwner);
    }

    private static XenError TryResolveTarget(ref HypercallCall call, ushort id, out ushort owner)
    {
        owner = call.Vcpu.DomainId;
        if (id == DomainIds.Self)
        {
            return XenError.None;
        }

        if (id == owner)
        {
            return XenError.NoSuchDomain;
        }

        if (id is DomainIds.Io or DomainIds.Xen)
        {
            owner = id;
            return id == DomainIds.Io || DomainControl.IsController(ref call.Domain) ? XenError.None : XenError.NotPermitted;
        }

        if (!DomainTable.Exists(id))
        {
            return XenError.NoSuchDomain;
        }

        if (!DomainControl.MayServe(ref call.Domain, id))
        {
            return XenError.NotPermitted;
        }

        DomainTable.At(id).Memory.IsLent = true;
        owner = id;
        return XenError.None;
    }
}
