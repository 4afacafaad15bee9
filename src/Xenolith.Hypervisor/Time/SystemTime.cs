// Nanoseconds since boot, from the time stamp counter.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Time;

/// <summary>
/// now = (ticks since start, shifted, times multiplier) >> 32: the same arithmetic, with the same numbers, that a guest does with its
/// vcpu_time_info.
/// </summary>
public static class SystemTime
{
    private const ulong NanosecondsPerSecond = 1_000_000_000;

    private static ulong s_start;

    /// <summary>TSC frequency in kHz; 0 before calibration.</summary>
    public static ulong TscKilohertz { get; private set; }

    public static uint Multiplier { get; private set; } = 1U << 31;

    public static int Shift { get; private set; }

    /// <summary>The TSC runs at one rate for ever, on all processors alike.</summary>
    public static bool IsTscStable { get; private set; }

    /// <summary>Origin of time: the first instructions of the hypervisor.</summary>
    public static ulong StartTsc => s_start;

    public static void Begin() => s_start = Tsc.Read();

    public static void Initialize(ulong tscKilohertz, bool isStable)
    {
        TscKilohertz = tscKilohertz;
        IsTscStable = isStable;
        ScaleFor(tscKilohertz * 1000, out uint multiplier, out int shift);
        Multiplier = multiplier;
        Shift = shift;
    }

    /// <summary>Multiplier in [2^31, 2^32) and shift that turn ticks of a frequency into nanoseconds.</summary>
    public static void ScaleFor(ulong hertz, out uint multiplier, out int shift)
    {
        shift = 0;
        ulong target = hertz;
        while (target > NanosecondsPerSecond * 2)
        {
            target >>= 1;
            shift--;
        }

        while (target <= NanosecondsPerSecond)
        {
            target <<= 1;
            shift++;
        }

        // target is now in (10^9, 2 * 10^9]: the quotient lies in [2^31, 2^32).
        multiplier = (uint)Math.Min((NanosecondsPerSecond << 32) / target, 0xFFFF_FFFFUL);
    }

    /// <summary>Passes time, for devices that ask for it.</summary>
    public static void Wait(ulong nanoseconds)
    {
        ulong end = Now() + nanoseconds;
        while (Now() < end)
        {
            Cpu.Pause();
        }
    }

    public static ulong Now() => ToNanoseconds(Tsc.Read() - s_start);

    /// <summary>TSC value at a time in nanoseconds since boot.</summary>
    public static ulong ToTicks(ulong nanoseconds) => (nanoseconds / 1_000_000 * TscKilohertz) + (nanoseconds % 1_000_000 * TscKilohertz / 1_000_000);

    public static ulong ToNanoseconds(ulong ticks)
    {
        ticks = Shift >= 0 ? ticks << Shift : ticks >> -Shift;
        ulong high = (ticks >> 32) * Multiplier;
        ulong low = (ticks & 0xFFFF_FFFF) * Multiplier;
        return high + (low >> 32);
    }
}
