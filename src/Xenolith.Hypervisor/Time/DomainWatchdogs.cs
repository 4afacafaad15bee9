// Timers that end a domain which does not set them again in time.
using System.Runtime.CompilerServices;

namespace Xenolith.Hypervisor.Time;

/// <summary>SCHEDOP_watchdog (public sched.h): the watchdogs of one domain. Deadlines in nanoseconds since boot; 0 = not in use.</summary>
public struct DomainWatchdogs
{
    public const int Capacity = 2;

    public Deadlines Due;

    [InlineArray(Capacity)]
    public struct Deadlines
    {
        private ulong _first;
    }
}
