// Destroying domains that nobody else destroys.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Domains;

/// <summary>A domain without a toolstack is destroyed by the hypervisor itself, a slice at a time, from the timer's interrupt.</summary>
internal static class DomainReaper
{
    private const ulong PauseNanoseconds = 1_000_000;

    private static bool s_endsMachine;

    /// <summary>Some domain is to be destroyed, or the machine is to end.</summary>
    internal static bool HasWork { get; private set; }

    /// <summary>Has the domain destroyed, soon.</summary>
    internal static void Request(ref Domain domain)
    {
        domain.Ending.IsReaped = true;
        HasWork = true;
        Timers.Program(SystemTime.Now());
    }

    /// <summary>Ends the machine as soon as no domain is left to destroy, and says what has become of its memory.</summary>
    internal static void EndMachine()
    {
        s_endsMachine = true;
        HasWork = true;
        Timers.Program(SystemTime.Now());
    }

    /// <summary>One slice of work for each domain that waits; gives the next deadline, or <see cref="ulong.MaxValue"/>.</summary>
    internal static ulong Serve(ulong now)
    {
        HasWork = false;
        for (int id = 0; id < DomainTable.Count; id++)
        {
            ref Domain domain = ref DomainTable.At(id);
            if (domain.Ending.IsReaped && DomainTable.IsTaken((uint)id))
            {
                Preemption preemption = Preemption.Start();
                domain.Ending.IsReaped = DomainDestruction.TryAdvance(ref domain, ref preemption) == XenError.Restart;
                HasWork |= domain.Ending.IsReaped;
            }
        }

        if (s_endsMachine && !HasWork)
        {
            MemoryReport.Print("mm"u8);
            Power.EndMachine(ShutdownReason.PowerOff);
        }

        return HasWork ? now + PauseNanoseconds : ulong.MaxValue;
    }
}
