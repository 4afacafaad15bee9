// Which bits a guest may put into an entry, and what the hypervisor adds.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>The white list of entry bits per level, and the adjustment that makes guest kernel pages reachable at CPL 3.</summary>
internal static class EntryRules
{
    /// <summary>PWT, PCD, PAT of a level-1 entry: how the processor caches its page.</summary>
    internal const ulong CacheBits = PageTableEntry.WriteThrough | PageTableEntry.CacheDisable | PageTableEntry.PatSmall;
    private const ulong AlwaysAllowed = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.User | PageTableEntry.Accessed
        | PageTableEntry.Dirty | PageTableEntry.AvailableLow | PageTableEntry.AvailableHigh | PageTableEntry.NoExecute;

    /// <summary>Bits whose change neither moves a reference nor widens a right.</summary>
    internal const ulong FastBits = PageTableEntry.NoExecute | PageTableEntry.AvailableLow | PageTableEntry.AvailableHigh | PageTableEntry.Global
        | PageTableEntry.Dirty | PageTableEntry.Accessed | PageTableEntry.User;

    /// <summary>Frame numbers of this machine fit below this bit.</summary>
    internal static ulong FrameBits { get; private set; } = PageTableEntry.FrameMask;

    internal static void Initialize() => FrameBits = PageTableEntry.FrameMask & ((1UL << CpuFeatures.PhysicalAddressBits) - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAllowedL1(ulong entry, bool mayChooseCache)
        => (entry & ~(AlwaysAllowed | PageTableEntry.Global | FrameBits | (mayChooseCache ? CacheBits : 0))) == 0;

    /// <summary>No superpages, no cache attributes, no global tables: at any level above the first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAllowedTable(ulong entry) => (entry & ~(AlwaysAllowed | FrameBits)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong AdjustL1(ulong entry)
    {
        if ((entry & PageTableEntry.User) == 0)
        {
            return entry | PageTableEntry.User | PageTableEntry.GuestKernel;
        }

        return (entry & PageTableEntry.GuestKernel) == 0 ? entry | PageTableEntry.Global : entry;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong AdjustTable(ulong entry, int level)
        => entry | PageTableEntry.User | (level == 4 ? PageTableEntry.Accessed : 0);
}
