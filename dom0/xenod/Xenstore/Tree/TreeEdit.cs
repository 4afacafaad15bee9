// Makes new trees out of one.

using System.Collections.Immutable;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Tree;

/// <summary>
/// Changes to a tree, one after the other, with the events they cause. Knows no rights and no quotas: those who may not do something do
/// not come here. The tree that it started from stays as it is.
/// </summary>
internal sealed class TreeEdit(StoreTree start)
{
    private StoreNode _root = start.Root;
    private ulong _version = start.NextVersion;
    private ImmutableDictionary<uint, OwnedNodes> _owned = start.Owned;
    private StoreTree _specials = start;

    /// <summary>What happened so far, in order.</summary>
    public List<NodeChange> Changes { get; } = [];

    /// <summary>The tree with all changes.</summary>
    public StoreTree Result() => _specials with { Root = _root, NextVersion = _version, Owned = _owned };

    /// <summary>Sets a value, or with null makes sure that the node exists; creates what is missing for <paramref name="creator"/>.</summary>
    public void Put(string path, byte[]? value, uint creator)
    {
        StoreNode changed = Put(_root, path, path.Length == 1 ? 1 : 0, value, creator);
        if (ReferenceEquals(changed, _root))
        {
            return;
        }
        _root = changed;
        _version++;
        Changes.Add(new(path, null, null));
    }

    /// <summary>Removes a node that exists and is not the root, with all below it.</summary>
    public void Remove(string path)
    {
        StoreNode? removed = null;
        _root = Remove(_root, path, 0, ref removed);
        _version++;
        Disown(removed!, path.Length - path.LastIndexOf('/') - 1);
        Changes.Add(new(path, removed!.Permissions, removed));
    }

    /// <summary>Sets the permissions of a node that exists.</summary>
    public void SetPermissions(string path, NodePermissions permissions)
    {
        NodePermissions? previous = null;
        _root = SetPermissions(_root, path, path.Length == 1 ? 1 : 0, permissions, ref previous);
        _version++;
        Changes.Add(new(path, previous, null));
    }

    /// <summary>Sets who is told about domains that come or go.</summary>
    public void SetSpecial(string name, NodePermissions permissions)
    {
        _specials = name == XenstorePath.IntroduceDomain
            ? _specials with { IntroducePermissions = permissions }
            : _specials with { ReleasePermissions = permissions };
        _version++;
    }

    /// <summary>Removes all nodes that a domain owns, and its name from the permissions of the others: whoever has its number next starts with nothing.</summary>
    public void Forget(uint domain)
    {
        List<string> owned = [];
        _root = Forget(_root, "", domain, owned);
        foreach (string path in owned)
        {
            Remove(path);
        }
        _specials = _specials with
        {
            IntroducePermissions = _specials.IntroducePermissions.Without(domain),
            ReleasePermissions = _specials.ReleasePermissions.Without(domain),
        };
        _version++;
    }

    /// <summary>What each domain owns below and with a node.</summary>
    public static ImmutableDictionary<uint, OwnedNodes> Count(StoreNode root)
    {
        TreeEdit edit = new(new StoreTree { Root = root, NextVersion = 0, Owned = ImmutableDictionary<uint, OwnedNodes>.Empty });
        edit.Own(root, 0);
        return edit._owned;
    }

    private StoreNode Put(StoreNode node, string path, int slash, byte[]? value, uint creator)
    {
        if (slash == path.Length)
        {
            if (value is null)
            {
                return node;
            }
            Charge(node.Permissions.Owner, 0, value.Length - node.Value.Length);
            return node with { Value = value, ValueVersion = _version };
        }
        int end = StoreTree.SegmentEnd(path, slash);
        string name = path[(slash + 1)..end];
        if (node.Children.TryGetValue(name, out StoreNode? child))
        {
            StoreNode changed = Put(child, path, end, value, creator);
            return ReferenceEquals(changed, child) ? node : node with { Children = node.Children.SetItem(name, changed) };
        }
        child = StoreNode.New(end == path.Length && value is not null ? value : [], node.Permissions.Inherited(creator), _version);
        Charge(child.Permissions.Owner, 1, child.Cost(name.Length));
        if (end < path.Length)
        {
            child = Put(child, path, end, value, creator);
        }
        return node with { Children = node.Children.Add(name, child), ListVersion = _version };
    }

    private StoreNode Remove(StoreNode node, string path, int slash, ref StoreNode? removed)
    {
        int end = StoreTree.SegmentEnd(path, slash);
        string name = path[(slash + 1)..end];
        StoreNode child = node.Children[name];
        if (end == path.Length)
        {
            removed = child;
            return node with { Children = node.Children.Remove(name), ListVersion = _version };
        }
        return node with { Children = node.Children.SetItem(name, Remove(child, path, end, ref removed)) };
    }

    private StoreNode SetPermissions(StoreNode node, string path, int slash, NodePermissions permissions, ref NodePermissions? previous)
    {
        if (slash == path.Length)
        {
            previous = node.Permissions;
            int nameLength = path.Length - path.LastIndexOf('/') - 1;
            Charge(previous.Owner, -1, -node.Cost(nameLength));
            StoreNode changed = node with { Permissions = permissions, PermissionsVersion = _version };
            Charge(permissions.Owner, 1, changed.Cost(nameLength));
            return changed;
        }
        int end = StoreTree.SegmentEnd(path, slash);
        string name = path[(slash + 1)..end];
        return node with { Children = node.Children.SetItem(name, SetPermissions(node.Children[name], path, end, permissions, ref previous)) };
    }

    private StoreNode Forget(StoreNode node, string path, uint domain, List<string> owned)
    {
        if (node.Permissions.Owner == domain && path.Length > 0)
        {
            owned.Add(path);
            return node;
        }
        NodePermissions permissions = node.Permissions.Without(domain);
        if (!ReferenceEquals(permissions, node.Permissions))
        {
            Charge(permissions.Owner, 0, 8L * (permissions.Entries.Length - node.Permissions.Entries.Length));
            node = node with { Permissions = permissions, PermissionsVersion = _version };
        }
        ImmutableSortedDictionary<string, StoreNode> children = node.Children;
        foreach ((string name, StoreNode child) in node.Children)
        {
            StoreNode changed = Forget(child, path + "/" + name, domain, owned);
            if (!ReferenceEquals(changed, child))
            {
                children = children.SetItem(name, changed);
            }
        }
        return ReferenceEquals(children, node.Children) ? node : node with { Children = children };
    }

    private void Own(StoreNode node, int nameLength)
    {
        Charge(node.Permissions.Owner, 1, node.Cost(nameLength));
        foreach ((string name, StoreNode child) in node.Children)
        {
            Own(child, name.Length);
        }
    }

    private void Disown(StoreNode node, int nameLength)
    {
        Charge(node.Permissions.Owner, -1, -node.Cost(nameLength));
        foreach ((string name, StoreNode child) in node.Children)
        {
            Disown(child, name.Length);
        }
    }

    private void Charge(uint owner, int nodes, long bytes)
    {
        if (nodes == 0 && bytes == 0)
        {
            return;
        }
        OwnedNodes before = _owned.GetValueOrDefault(owner);
        OwnedNodes after = new(before.Nodes + nodes, before.Bytes + bytes);
        _owned = after.Nodes == 0 ? _owned.Remove(owner) : _owned.SetItem(owner, after);
    }
}
