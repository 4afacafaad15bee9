// How much memory Domain 0 gets.
using Xenolith.Hypervisor.Options;

namespace Xenolith.Hypervisor.Boot.Domain0;

/// <summary>The option dom0_mem as Xen understands it: an amount, a lower bound, an upper bound; without it, all that nobody else needs.</summary>
internal static class Domain0Memory
{
    private const ulong LeastDefault = 128 << 8;

    /// <summary>Pages to give, of those available. What others need is left to them, unless an option names an amount or Domain 0 would be left with too little.</summary>
    internal static ulong Choose(ulong available, ulong others)
    {
        ulong most = available > Reserve.Frames ? available - Reserve.Frames : 0;
        ulong pages = BootOptions.Domain0Memory.IsGiven ? BootOptions.Domain0Memory.Frames(available)
            : others + LeastDefault < most ? most - others
            : Math.Min(most, LeastDefault);
        if (BootOptions.Domain0MinimumMemory.IsGiven)
        {
            pages = Math.Max(pages, BootOptions.Domain0MinimumMemory.Frames(available));
        }

        if (BootOptions.Domain0MaximumMemory.IsGiven)
        {
            pages = Math.Min(pages, BootOptions.Domain0MaximumMemory.Frames(available));
        }

        return Math.Min(pages, most);
    }

    /// <summary>How far the balloon may grow: the upper bound of the option, else without limit.</summary>
    internal static ulong Maximum(ulong pages)
        => BootOptions.Domain0MaximumMemory.IsGiven ? Math.Max(BootOptions.Domain0MaximumMemory.Frames(BootMemory.RamFrames), pages) : uint.MaxValue;
}
