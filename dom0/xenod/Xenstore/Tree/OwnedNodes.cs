// How much of the tree a domain owns.

namespace Xenod.Xenstore.Tree;

/// <summary>The nodes that a domain owns and what they cost in bytes.</summary>
internal readonly record struct OwnedNodes(int Nodes, long Bytes);
