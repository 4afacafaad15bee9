// What follows when a domain has ended.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Platform;

namespace Xenolith.Hypervisor.Domains;

/// <summary>
/// The machine ends with Domain 0; without a Domain 0, with the last boot-time domain. Of boot-time domains the module says what becomes of
/// them; others wait for their toolstack.
/// </summary>
internal static class DomainEnd
{
    /// <summary>None of the domain's vcpus runs any more.</summary>
    internal static void Follow(ref Domain domain, ShutdownReason reason)
    {
        if (domain.IsPrivileged)
        {
            Power.EndMachine(reason);
            return;
        }

        if (!domain.Boot.Exists)
        {
            return;
        }

        DomainConsoles.End(ref domain);
        Act(ref domain, domain.Boot.ActionFor(reason));
        if (!DomainTable.Exists(DomainIds.Domain0) && !IsAnyRunning() && GuestRestarts.Count == 0)
        {
            Log.Always("domain"u8).Text("there is no Domain 0, and the last domain has ended"u8).End();
            DomainReaper.EndMachine();
        }
    }

    private static void Act(ref Domain domain, EndAction action)
    {
        if (action == EndAction.Restart && !GuestRestarts.TryAdd(ref domain))
        {
            Log.Warning("domain"u8).Text("domain '"u8).Text(DomainConsoles.NameOf(ref domain)).Text("' is not started again: too many domains wait for that"u8).End();
        }

        if (action != EndAction.Preserve)
        {
            DomainReaper.Request(ref domain);
        }
    }

    private static bool IsAnyRunning()
    {
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (DomainTable.At(id).State == DomainState.Running)
            {
                return true;
            }
        }

        return false;
    }
}
