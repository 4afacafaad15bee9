// One version of one node.

using System.Collections.Immutable;

namespace Xenod.Xenstore.Tree;

/// <summary>
/// An immutable node with all below it. The numbers say when which part was changed last: they only grow, so two versions of a node with
/// the same number agree in that part.
/// </summary>
internal sealed record StoreNode
{
    /// <summary>What a node costs beside its name, value and permissions, in bytes.</summary>
    private const int Overhead = 64;

    public static readonly ImmutableSortedDictionary<string, StoreNode> NoChildren = ImmutableSortedDictionary.Create<string, StoreNode>(StringComparer.Ordinal);

    public required byte[] Value { get; init; }

    public required NodePermissions Permissions { get; init; }

    public ImmutableSortedDictionary<string, StoreNode> Children { get; init; } = NoChildren;

    /// <summary>When the node was created: another number, another node.</summary>
    public required ulong Created { get; init; }

    public required ulong ValueVersion { get; init; }

    public required ulong PermissionsVersion { get; init; }

    /// <summary>When a child was created or removed last.</summary>
    public required ulong ListVersion { get; init; }

    /// <summary>What the node counts for in its owner's quota.</summary>
    public int Cost(int nameLength) => Overhead + nameLength + Value.Length + 8 * Permissions.Entries.Length;

    public static StoreNode New(byte[] value, NodePermissions permissions, ulong version) => new()
    {
        Value = value,
        Permissions = permissions,
        Created = version,
        ValueVersion = version,
        PermissionsVersion = version,
        ListVersion = version,
    };
}
