// The part of a vcpu that hangs in a tree of vcpus.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Links are slots of the vcpu table plus one, 0 = none: a cleared node is in no tree.</summary>
public struct TreeNode
{
    internal int Left;
    internal int Right;
    internal int Parent;

    /// <summary>No node has a higher one than its parent; 0 = in no tree.</summary>
    internal uint Priority;

    /// <summary>The time that orders the tree.</summary>
    internal ulong Key;

    /// <summary>What a search may ask for.</summary>
    internal ulong Mask;

    /// <summary>Masks of this node and of all below it, together.</summary>
    internal ulong Below;

    internal readonly bool IsLinked => Priority != 0;

    /// <summary>It has neither parent nor children: it is in no tree or the only one there.</summary>
    internal readonly bool IsAlone => (Left | Right | Parent) == 0;
}
