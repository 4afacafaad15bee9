// Watches and their events.

using System.Text;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    private XenstoreError? AddWatch(Request request)
    {
        if (ParseWatch(request) is not { } watch)
        {
            return XenstoreError.EINVAL;
        }
        Connection connection = request.Connection;
        if (Registered(watch) is not null)
        {
            return XenstoreError.EEXIST;
        }
        if (connection.Watches.Count >= connection.Limits.Watches)
        {
            return XenstoreError.E2BIG;
        }
        if (!connection.Caller.Privileged && Tree.OwnedBy(connection.Domain).Bytes + connection.HeldBytes + watch.Cost > connection.Limits.Bytes)
        {
            return XenstoreError.ENOSPC;
        }
        connection.AddWatch(watch);
        _watches.Add(watch);
        request.Acknowledge();
        connection.Notify(watch, watch.Path, merge: watch.Path[0] != '@', always: true);
        return null;
    }

    private XenstoreError? RemoveWatch(Request request)
    {
        if (ParseWatch(request) is not { } watch)
        {
            return XenstoreError.EINVAL;
        }
        if (Registered(watch) is not { } registered)
        {
            return XenstoreError.ENOENT;
        }
        request.Connection.RemoveWatch(registered);
        _watches.Remove(registered);
        request.Acknowledge();
        return null;
    }

    private XenstoreError? ResetWatches(Request request)
    {
        ReleaseAll(request.Connection);
        request.Acknowledge();
        return null;
    }

    private static Watch? ParseWatch(Request request)
    {
        if (!request.TryPair(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> token) || !XenstorePath.IsValid(name))
        {
            return null;
        }
        string text = Encoding.Latin1.GetString(token);
        if (name[0] == '@')
        {
            return new Watch(request.Connection, Encoding.ASCII.GetString(name), text, 0);
        }
        return request.TryPath(name, out string path)
            ? new Watch(request.Connection, path, text, name[0] == '/' ? 0 : request.Connection.BaseDirectory.Length)
            : null;
    }

    private Watch? Registered(Watch watch)
    {
        foreach (Watch other in _watches.Of(watch.Path))
        {
            if (other.Connection == watch.Connection && other.Token == watch.Token)
            {
                return other;
            }
        }
        return null;
    }

    private void Fire(List<NodeChange> changes)
    {
        OutdateTransactions();
        foreach (NodeChange change in changes)
        {
            Fire(change);
        }
    }

    // The watches of the node and of all nodes above; of what was removed with it only the watches of exactly those nodes.
    private void Fire(NodeChange change)
    {
        if (_watches.Count == 0)
        {
            return;
        }
        string path = change.Path;
        StoreNode? node = Tree.Find(path);
        StoreNode? parent = Tree.Find(StoreTree.Parent(path));
        for (int length = path.Length; length > 0; length = path.AsSpan(0, length).LastIndexOf('/'))
        {
            Notify(_watches.Of(path.AsSpan(0, length)), path, node?.Permissions, change.Previous, parent?.Permissions);
        }
        if (path.Length > 1)
        {
            Notify(_watches.Of("/"), path, node?.Permissions, change.Previous, parent?.Permissions);
        }
        if (change.Removed is { } removed)
        {
            FireBelow(path, removed);
        }
    }

    private void FireBelow(string path, StoreNode removed)
    {
        foreach ((string name, StoreNode child) in removed.Children)
        {
            string childPath = path + "/" + name;
            Notify(_watches.Of(childPath), childPath, null, child.Permissions, removed.Permissions);
            FireBelow(childPath, child);
        }
    }

    // Told are those who can read the node as it is or was, or the list of names that it is in.
    private static void Notify(IReadOnlyList<Watch> watches, string path, NodePermissions? now, NodePermissions? before, NodePermissions? parent)
    {
        foreach (Watch watch in watches)
        {
            Caller caller = watch.Connection.Caller;
            if (caller.Privileged || Readable(now, caller) || Readable(before, caller) || Readable(parent, caller))
            {
                watch.Connection.Notify(watch, path, merge: true, always: false);
            }
        }
    }

    private static bool Readable(NodePermissions? permissions, Caller caller) => permissions is not null && permissions.Allow(caller, XenstoreAccess.Read);

    private void FireSpecial(string name)
    {
        NodePermissions permissions = Tree.Special(name)!;
        foreach (Watch watch in _watches.Of(name))
        {
            if (watch.Connection.Caller.Privileged || permissions.Allow(watch.Connection.Caller, XenstoreAccess.Read))
            {
                watch.Connection.Notify(watch, name, merge: false, always: false);
            }
        }
    }

    private static void FireAll(Connection connection)
    {
        foreach (Watch watch in connection.Watches)
        {
            connection.Notify(watch, watch.Path, merge: true, always: true);
        }
    }
}
