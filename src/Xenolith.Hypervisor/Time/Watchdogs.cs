// Setting and serving the watchdogs of domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.Hypervisor.Time;

/// <summary>A watchdog that expires shuts its domain down with the reason "watchdog".</summary>
internal static class Watchdogs
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    /// <summary>
    /// Id 0 asks for a new watchdog, whose id (1 or 2) is the result; another id sets that one anew, or ends it with a time of 0.
    /// Errors: Invalid (id, no time for a new one), NoSpace (both in use).
    /// </summary>
    internal static XenError TrySet(ref Domain domain, uint id, uint seconds, out uint newId)
    {
        newId = 0;
        if (id > DomainWatchdogs.Capacity || (id == 0 && seconds == 0))
        {
            return XenError.Invalid;
        }

        ref DomainWatchdogs.Deadlines due = ref domain.Watchdogs.Due;
        ulong deadline = seconds == 0 ? 0 : SystemTime.Now() + (seconds * NanosecondsPerSecond);
        if (id != 0)
        {
            if (due[(int)id - 1] == 0)
            {
                return XenError.Invalid;
            }

            due[(int)id - 1] = deadline;
        }
        else
        {
            int free = 0;
            while (free < DomainWatchdogs.Capacity && due[free] != 0)
            {
                free++;
            }

            if (free == DomainWatchdogs.Capacity)
            {
                return XenError.NoSpace;
            }

            due[free] = deadline;
            newId = (uint)free + 1;
        }

        DomainTimers.Update(ref domain);
        return XenError.None;
    }

    /// <summary>The domain's next deadline, or <see cref="ulong.MaxValue"/>.</summary>
    internal static ulong Next(ref Domain domain)
    {
        ulong next = ulong.MaxValue;
        for (int i = 0; i < DomainWatchdogs.Capacity; i++)
        {
            ulong due = domain.Watchdogs.Due[i];
            next = due != 0 && due < next ? due : next;
        }

        return next;
    }

    /// <summary>Ends the domain if its time is over.</summary>
    internal static void Serve(ref Domain domain, ulong now)
    {
        for (int i = 0; i < DomainWatchdogs.Capacity; i++)
        {
            ulong due = domain.Watchdogs.Due[i];
            if (due == 0 || due > now)
            {
                continue;
            }

            domain.Watchdogs.Due[i] = 0;
            if (domain.State == DomainState.Running)
            {
                Log.Guest("domain"u8).Text("d"u8).Decimal((ulong)domain.Id).Text(": its watchdog has expired"u8).End();
                DomainShutdown.Request(ref domain, ShutdownReason.Watchdog);
            }
        }
    }
}
