// The whole tree at one time.

using System.Collections.Immutable;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Tree;

/// <summary>An immutable tree. Keeping one is what a snapshot is; new ones are made with <see cref="TreeEdit"/> and share what did not change.</summary>
internal sealed record StoreTree
{
    public required StoreNode Root { get; init; }

    /// <summary>The number that the next change gets.</summary>
    public required ulong NextVersion { get; init; }

    /// <summary>What each domain owns; absent means nothing.</summary>
    public required ImmutableDictionary<uint, OwnedNodes> Owned { get; init; }

    /// <summary>Who else than Domain 0 is told about domains that are introduced.</summary>
    public NodePermissions IntroducePermissions { get; init; } = NodePermissions.Domain0;

    /// <summary>Who else than Domain 0 is told about domains that end.</summary>
    public NodePermissions ReleasePermissions { get; init; } = NodePermissions.Domain0;

    /// <summary>The tree that a server starts with.</summary>
    public static StoreTree Initial()
    {
        StoreNode root = StoreNode.New([], NodePermissions.Domain0, 1);
        StoreTree tree = new() { Root = root, NextVersion = 2, Owned = ImmutableDictionary<uint, OwnedNodes>.Empty.Add(0, new(1, root.Cost(0))) };
        TreeEdit edit = new(tree);
        edit.Put("/tool/xenstored", null, 0);
        return edit.Result();
    }

    /// <summary>The node of that valid path from the root, or null.</summary>
    public StoreNode? Find(string path) => Find(path, out _, out _);

    /// <summary>The node, or null and the last node on the way to it.</summary>
    /// <param name="path">A valid path from the root.</param>
    /// <param name="nearest">The node, or the lowest one above it that exists.</param>
    /// <param name="nearestLength">Characters of that one's path; 0 for the root.</param>
    public StoreNode? Find(string path, out StoreNode nearest, out int nearestLength)
    {
        nearest = Root;
        nearestLength = 0;
        if (path.Length == 1)
        {
            return Root;
        }
        while (nearestLength < path.Length)
        {
            int end = SegmentEnd(path, nearestLength);
            if (!nearest.Children.TryGetValue(path[(nearestLength + 1)..end], out StoreNode? child))
            {
                return null;
            }
            nearest = child;
            nearestLength = end;
        }
        return nearest;
    }

    public OwnedNodes OwnedBy(uint domain) => Owned.GetValueOrDefault(domain);

    /// <summary>The permissions of a special name, or null when there is no such name.</summary>
    public NodePermissions? Special(string name) => name switch
    {
        XenstorePath.IntroduceDomain => IntroducePermissions,
        XenstorePath.ReleaseDomain => ReleasePermissions,
        _ => null,
    };

    /// <summary>Where the segment after the slash at <paramref name="slash"/> ends.</summary>
    public static int SegmentEnd(string path, int slash)
    {
        int end = path.IndexOf('/', slash + 1);
        return end < 0 ? path.Length : end;
    }

    /// <summary>The path of the node above; the root's is the root.</summary>
    public static string Parent(string path)
    {
        int slash = path.LastIndexOf('/');
        return slash <= 0 ? "/" : path[..slash];
    }
}
