// A vcpu that interrupts itself without end.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>
/// Tells when a vcpu sends events to itself in a stream: so dense that it does nothing else. A kernel whose handler of such an event sends
/// the next one gets on nevertheless on a machine, where an interrupted program always executes an instruction before the next
/// interrupt; see docs/decisions/0012-one-instruction-further.md.
/// </summary>
internal static class SelfEvents
{
    /// <summary>So many events to itself, none of them further from the last than the gap, are a stream.</summary>
    internal const uint StreamLength = 64;
    internal const ulong GapNanoseconds = 500_000;

    /// <summary>The vcpu sends an event to itself.</summary>
    internal static void Note(ref Vcpu vcpu)
    {
        ulong now = SystemTime.Now();
        bool belongs = now - vcpu.Events.SelfLast <= GapNanoseconds;
        vcpu.Events.SelfCount = !belongs ? 1 : Math.Min(vcpu.Events.SelfCount + 1, StreamLength);
        vcpu.Events.SelfLast = now;
    }

    internal static bool IsStream(ref Vcpu vcpu)
        => vcpu.Events.SelfCount >= StreamLength && SystemTime.Now() - vcpu.Events.SelfLast <= GapNanoseconds;
}
