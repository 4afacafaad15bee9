// Boot-time domains that are to be started again.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Boot.Guests;

/// <summary>
/// Each waits until what it was is destroyed, and until some time has passed since its last start: building a domain holds everybody up
/// for some milliseconds, which a domain that does nothing but end must not ask for all the time.
/// </summary>
internal static class GuestRestarts
{
    private const int Capacity = 64;
    private const ulong Never = ulong.MaxValue;
    private const ulong LeastLifeNanoseconds = 10_000_000_000;
    private const ulong RetryNanoseconds = 20_000_000;

    private static Entries s_waiting;
    private static ulong s_nextAt;

    /// <summary>Domains that wait.</summary>
    internal static int Count { get; private set; }

    /// <summary>Has the domain made again when it is gone. False: too many wait already.</summary>
    internal static bool TryAdd(ref Domain domain)
    {
        if (Count == Capacity)
        {
            return false;
        }

        ulong at = Math.Max(SystemTime.Now(), domain.Boot.StartedAt + LeastLifeNanoseconds);
        s_waiting[Count++] = new Entry { Domain = domain.Id, Request = domain.Boot.Request, Number = domain.Boot.Number, At = at };
        s_nextAt = Count == 1 ? at : Math.Min(s_nextAt, at);
        Timers.Program(s_nextAt);
        return true;
    }

    /// <summary>Starts one domain at most; gives the next deadline.</summary>
    internal static ulong Serve(ulong now)
    {
        if (Count == 0 || s_nextAt > now)
        {
            return Count == 0 ? Never : s_nextAt;
        }

        s_nextAt = Never;
        bool hasStarted = false;
        for (int i = Count - 1; i >= 0; i--)
        {
            Entry entry = s_waiting[i];
            if (entry.At <= now && !hasStarted && !DomainTable.IsTaken(entry.Domain))
            {
                s_waiting[i] = s_waiting[--Count];
                Start(in entry);
                hasStarted = true;
            }
            else
            {
                s_nextAt = Math.Min(s_nextAt, Math.Max(entry.At, now + RetryNanoseconds));
            }
        }

        return s_nextAt;
    }

    private static void Start(in Entry entry)
    {
        if (GuestBuilder.TryBuildAgain(entry.Request, entry.Number, out ushort id))
        {
            ref Domain domain = ref DomainTable.At(id);
            Scheduler.Up(ref VcpuTable.At(domain.VcpuIndex(0)));
            ConsoleInput.OnStarted(domain.ConsoleSlot);
        }
    }

    private struct Entry
    {
        internal ushort Domain;
        internal int Request;
        internal int Number;
        internal ulong At;
    }

    [InlineArray(Capacity)]
    private struct Entries
    {
        private Entry _first;
    }
}
