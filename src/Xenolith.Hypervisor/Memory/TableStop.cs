// Why the work on a page table stopped at one of its entries.
namespace Xenolith.Hypervisor.Memory;

/// <summary>What a half-done table stopped for at its cursor: how it goes on depends on that.</summary>
public enum TableStop : uint
{
    /// <summary>The slice was over before the entry was looked at.</summary>
    BetweenEntries = 0,

    /// <summary>The entry's reference has been given back, and the table that it names was not done with that in the slice.</summary>
    InsideDropped = 1,

    /// <summary>The entry could not be taken: the promotion of the table that it names may have failed half-way.</summary>
    InsideRefused = 2,
}
