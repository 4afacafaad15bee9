// Where the nodes of a tree are.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Finds the node of a vcpu; a type of its own for each kind of tree, so that the calls are resolved when they are compiled.</summary>
internal interface ITreeNodes
{
    /// <summary>The node in a slot of the vcpu table.</summary>
    ref TreeNode At(int index);
}
