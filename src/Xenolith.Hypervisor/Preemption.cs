// Tells a long hypercall when to stop and continue later.
using Xenolith.Machine;

namespace Xenolith.Hypervisor;

/// <summary>
/// The token that every loop of guest-chosen length takes. Interrupts are off while the hypervisor runs, so it reads the clock:
/// work may go on for one slice, then the hypercall returns a continuation and pending interrupts are taken.
/// </summary>
public struct Preemption
{
    /// <summary>TSC ticks that one hypercall may take before it has to offer a break; set at boot to one millisecond's worth.</summary>
    public static ulong SliceTicks = 1_000_000;

    // 0: the clock has not been read yet.
    private ulong _deadline;

    private Preemption(ulong deadline) => _deadline = deadline;

    /// <summary>A token whose slice begins when it is first asked: work of a single step never reads the clock.</summary>
    public static Preemption Start() => default;

    /// <summary>A token that never asks for a break; for work of bounded length at boot.</summary>
    public static Preemption Never => new(~0UL);

    /// <summary>Whether the slice is over. The first step of a hypercall must be done without asking, so that progress is certain.</summary>
    public bool IsNeeded
    {
        get
        {
            ulong now = Tsc.Read();
            if (_deadline == 0)
            {
                _deadline = now + SliceTicks;
            }

            return now > _deadline;
        }
    }
}
