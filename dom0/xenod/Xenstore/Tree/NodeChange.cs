// What happened to a node, for those who watch it.

namespace Xenod.Xenstore.Tree;

/// <summary>A change of a node.</summary>
/// <param name="Path">The node's path.</param>
/// <param name="Previous">Its permissions before, when the change concerns them or the node's existence.</param>
/// <param name="Removed">The node as it was with all below it, when it was removed.</param>
internal readonly record struct NodeChange(string Path, NodePermissions? Previous, StoreNode? Removed);
