// Nodes in a snapshot: each once, whichever trees it is in.

using System.Collections.Immutable;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Journal;

/// <summary>
/// Trees of open transactions share most nodes with the current one, and by that it is known what has not changed. So nodes are written
/// once, children first, and referred to by their place.
/// </summary>
internal sealed class NodeTable
{
    private readonly Dictionary<StoreNode, int> _places = new(ReferenceEqualityComparer.Instance);
    private readonly List<StoreNode> _nodes = [];

    /// <summary>Adds a node with all below it.</summary>
    public void Add(StoreNode node)
    {
        if (_places.ContainsKey(node))
        {
            return;
        }
        foreach (StoreNode child in node.Children.Values)
        {
            Add(child);
        }
        _places.Add(node, _nodes.Count);
        _nodes.Add(node);
    }

    public int Place(StoreNode node) => _places[node];

    public void Save(RecordWriter writer)
    {
        writer.Number((ulong)_nodes.Count);
        foreach (StoreNode node in _nodes)
        {
            writer.Bytes(node.Value);
            Save(writer, node.Permissions);
            writer.Number(node.Created);
            writer.Number(node.ValueVersion);
            writer.Number(node.PermissionsVersion);
            writer.Number(node.ListVersion);
            writer.Number((ulong)node.Children.Count);
            foreach ((string name, StoreNode child) in node.Children)
            {
                writer.Text(name);
                writer.Number((ulong)_places[child]);
            }
        }
    }

    public static List<StoreNode> Load(ref RecordReader reader)
    {
        int count = reader.Count();
        List<StoreNode> nodes = new(count);
        NodePermissions last = NodePermissions.Domain0;
        for (int i = 0; i < count; i++)
        {
            byte[] value = reader.Bytes().ToArray();
            NodePermissions permissions = LoadPermissions(ref reader);
            last = permissions.Entries.SequenceEqual(last.Entries) ? last : permissions;
            StoreNode node = new()
            {
                Value = value,
                Permissions = last,
                Created = reader.Number(),
                ValueVersion = reader.Number(),
                PermissionsVersion = reader.Number(),
                ListVersion = reader.Number(),
                Children = LoadChildren(ref reader, nodes),
            };
            nodes.Add(node);
        }
        return nodes;
    }

    public static void Save(RecordWriter writer, NodePermissions permissions)
    {
        writer.Number((ulong)permissions.Entries.Length);
        foreach (XenstorePermission entry in permissions.Entries)
        {
            writer.Byte((byte)entry.Access);
            writer.Number(entry.Domain);
        }
    }

    public static NodePermissions LoadPermissions(ref RecordReader reader)
    {
        XenstorePermission[] entries = new XenstorePermission[reader.Count()];
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = new((XenstoreAccess)reader.Byte(), reader.Number32());
        }
        return entries.Length > 0 ? new NodePermissions(entries) : throw new InvalidDataException("a node in the journal has no owner");
    }

    private static ImmutableSortedDictionary<string, StoreNode> LoadChildren(ref RecordReader reader, List<StoreNode> nodes)
    {
        int count = reader.Count();
        if (count == 0)
        {
            return StoreNode.NoChildren;
        }
        ImmutableSortedDictionary<string, StoreNode>.Builder children = StoreNode.NoChildren.ToBuilder();
        for (int i = 0; i < count; i++)
        {
            string name = reader.Text();
            int place = checked((int)reader.Number());
            children.Add(name, place < nodes.Count ? nodes[place] : throw new InvalidDataException("a node in the journal has a child that is none"));
        }
        return children.ToImmutable();
    }
}
