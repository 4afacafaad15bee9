// What follows when a domain has ended.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Platform;

namespace Xenolith.Hypervisor.Domains;

/// <summary>The machine ends with Domain 0; without a Domain 0, with the last boot-time domain.</summary>
internal static class DomainEnd
{
    /// <summary>None of the domain's vcpus runs any more.</summary>
    internal static void Follow(ref Domain domain, ShutdownReason reason)
    {
        DomainConsoles.End(ref domain);
        if (domain.IsPrivileged)
        {
            Power.EndMachine(reason);
        }
        else if (domain.ConsoleSlot != 0 && !DomainTable.Exists(DomainIds.Domain0) && !IsAnyRunning())
        {
            Log.Always("domain"u8).Text("there is no Domain 0, and the last domain has ended"u8).End();
            Power.EndMachine(ShutdownReason.PowerOff);
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
