// The one-shot timer of this processor.
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Deadlines in nanoseconds since boot on the local APIC's counter.</summary>
internal static class LocalApicTimer
{
    private const ulong LongestWait = 1_000_000_000;

    /// <summary>Frequency of the counter in kHz.</summary>
    internal static ulong Kilohertz { get; set; }

    /// <summary>An interrupt at the deadline, at once when it is past. A far deadline is reached in several steps.</summary>
    internal static void SetDeadline(ulong deadline)
    {
        ulong now = SystemTime.Now();
        ulong wait = deadline > now ? Math.Min(deadline - now, LongestWait) : 0;
        LocalApic.StartTimer(Vectors.Timer, (uint)Math.Min(Math.Max(wait * Kilohertz / 1_000_000, 1UL), uint.MaxValue));
    }
}
