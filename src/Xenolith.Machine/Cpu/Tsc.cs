// The time stamp counter.
namespace Xenolith.Machine;

/// <summary>The processor's time stamp counter, in ticks.</summary>
public static class Tsc
{
    public static ulong Read() => Native.ReadTsc();
}
