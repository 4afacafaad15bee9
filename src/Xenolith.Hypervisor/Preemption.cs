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

    private const ulong Endless = ~0UL;
    private const int WantedShift = 5;

    // 0: the clock has not been read yet.
    private ulong _start;

    private Preemption(ulong start) => _start = start;

    /// <summary>A token whose slice begins when it is first asked: work of a single step never reads the clock.</summary>
    public static Preemption Start() => default;

    /// <summary>A token that never asks for a break; for work of bounded length at boot.</summary>
    public static Preemption Never => new(Endless);

    /// <summary>Whether the slice is over. The first step of a hypercall must be done without asking, so that progress is certain.</summary>
    public bool IsNeeded
    {
        get
        {
            if (_start == Endless)
            {
                return false;
            }

            ulong now = Tsc.Read();
            if (_start == 0)
            {
                _start = now;
            }

            // Other processors that want in shorten the slice.
            return now - _start > (HypervisorLock.IsWanted ? SliceTicks >> WantedShift : SliceTicks);
        }
    }
}
