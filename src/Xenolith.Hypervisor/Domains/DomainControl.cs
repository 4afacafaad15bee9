// The right to act on a domain, and the one place that gives it.
using Xenolith.Abi;

namespace Xenolith.Hypervisor.Domains;

/// <summary>
/// Who may act on whom. Domain 0 controls the machine and all domains. A domain that has been given a target (it serves that one's
/// devices) may act on its memory, events and grants.
/// </summary>
internal readonly ref struct DomainControl
{
    private readonly ref Domain _domain;

    private DomainControl(ref Domain domain) => _domain = ref domain;

    /// <summary>The domain under control. Only <see cref="TryClaim"/> makes a value that has one.</summary>
    internal ref Domain Domain => ref _domain;

    /// <summary>Whether the caller controls the machine and every domain.</summary>
    internal static bool IsController(ref Domain caller) => caller.IsPrivileged;

    /// <summary>Whether the caller may act on the memory, the events and the grants of a domain: its own, its target's, or all.</summary>
    internal static bool MayServe(ref Domain caller, ushort id) => id == caller.Id || caller.IsPrivileged || IsTarget(ref caller, id);

    /// <summary>The domain that an argument names, for an action on its memory, events or grants. Errors: NoSuchDomain, NotPermitted.</summary>
    internal static XenError TryServe(ref Domain caller, ushort requested, out ushort id)
    {
        id = requested == DomainIds.Self ? caller.Id : requested;
        if (!DomainTable.Exists(id))
        {
            return XenError.NoSuchDomain;
        }

        return MayServe(ref caller, id) ? XenError.None : XenError.NotPermitted;
    }

    /// <summary>Takes control of a domain's life. Errors: NotPermitted, NoSuchDomain.</summary>
    internal static XenError TryClaim(ref Domain caller, ushort id, out DomainControl control)
    {
        control = default;
        if (!IsController(ref caller))
        {
            return XenError.NotPermitted;
        }

        if (!DomainTable.IsTaken(id))
        {
            return XenError.NoSuchDomain;
        }

        control = new DomainControl(ref DomainTable.At(id));
        return XenError.None;
    }

    /// <summary>Makes the domain under control the servant of another. Errors: Invalid (itself, or it has a target already), NoSuchDomain.</summary>
    internal XenError TrySetTarget(ushort target)
    {
        if (!DomainTable.Exists(target))
        {
            return XenError.NoSuchDomain;
        }

        if (target == _domain.Id || _domain.Settings.HasTarget)
        {
            return XenError.Invalid;
        }

        _domain.Settings.HasTarget = true;
        _domain.Settings.Target = target;
        _domain.Settings.TargetSerial = DomainTable.At(target).Settings.Serial;
        return XenError.None;
    }

    private static bool IsTarget(ref Domain caller, ushort id)
        => caller.Settings.HasTarget && caller.Settings.Target == id && DomainTable.Exists(id, caller.Settings.TargetSerial);
}
