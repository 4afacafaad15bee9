// Operations on nodes.

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    private XenstoreError? Read(Request request)
    {
        if (!request.TryOnly(out ReadOnlySpan<byte> name) || !request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        if (!TryFind(request, path, XenstoreAccess.Read, NodeUse.Value, out StoreNode? node, out XenstoreError error))
        {
            return error;
        }
        if (node.Value.Length > XenstoreHeader.MaximumPayload)
        {
            return XenstoreError.E2BIG;
        }
        request.Reply(node.Value);
        return null;
    }

    private XenstoreError? List(Request request)
    {
        if (!request.TryOnly(out ReadOnlySpan<byte> name) || !request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        if (!TryFind(request, path, XenstoreAccess.Read, NodeUse.Children, out StoreNode? node, out XenstoreError error))
        {
            return error;
        }
        Span<byte> reply = stackalloc byte[XenstoreHeader.MaximumPayload];
        int length = 0;
        foreach (string child in node.Children.Keys)
        {
            if (length + child.Length + 1 > reply.Length)
            {
                return XenstoreError.E2BIG;
            }
            length += Encoding.ASCII.GetBytes(child, reply[length..]);
            reply[length++] = 0;
        }
        request.Reply(reply[..length]);
        return null;
    }

    // The offset counts bytes of all names, each with its NUL. An empty name says that there are no more.
    private XenstoreError? ListPart(Request request)
    {
        if (!request.TryPair(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> offsetText) || !request.TryPath(name, out string path)
            || !uint.TryParse(offsetText, NumberStyles.None, CultureInfo.InvariantCulture, out uint offset))
        {
            return XenstoreError.EINVAL;
        }
        if (!TryFind(request, path, XenstoreAccess.Read, NodeUse.Children, out StoreNode? node, out XenstoreError error))
        {
            return error;
        }
        Span<byte> reply = stackalloc byte[XenstoreHeader.MaximumPayload];
        int length = Encoding.ASCII.GetBytes(node.ListVersion.ToString(CultureInfo.InvariantCulture), reply);
        reply[length++] = 0;
        long position = 0;
        foreach (string child in node.Children.Keys)
        {
            long end = position + child.Length + 1;
            if (end > offset)
            {
                // An offset inside a name gets the rest of the name.
                int skip = (int)Math.Max(0, offset - position);
                if (length + child.Length - skip + 2 > reply.Length)
                {
                    request.Reply(reply[..length]);
                    return null;
                }
                length += Encoding.ASCII.GetBytes(child.AsSpan(skip), reply[length..]);
                reply[length++] = 0;
            }
            position = end;
        }
        reply[length++] = 0;
        request.Reply(reply[..length]);
        return null;
    }

    private XenstoreError? GetPermissions(Request request)
    {
        if (!request.TryOnly(out ReadOnlySpan<byte> name))
        {
            return XenstoreError.EINVAL;
        }
        NodePermissions? permissions = Special(request, name);
        if (permissions is not null)
        {
            if (!request.Caller.Privileged && !permissions.Allow(request.Caller, XenstoreAccess.Read))
            {
                return XenstoreError.EACCES;
            }
        }
        else
        {
            if (!request.TryPath(name, out string path))
            {
                return XenstoreError.EINVAL;
            }
            if (!TryFind(request, path, XenstoreAccess.Read, NodeUse.Permissions, out StoreNode? node, out XenstoreError error))
            {
                return error;
            }
            permissions = node.Permissions;
        }
        byte[] reply = XenstorePermission.FormatList(permissions.Entries.ToArray());
        if (reply.Length > XenstoreHeader.MaximumPayload)
        {
            return XenstoreError.E2BIG;
        }
        request.Reply(reply);
        return null;
    }

    private XenstoreError? SetPermissions(Request request)
    {
        if (!request.TryFirst(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> list) || !XenstorePermission.TryParseList(list, out XenstorePermission[] entries))
        {
            return XenstoreError.EINVAL;
        }
        if (Special(request, name) is not null)
        {
            return SetSpecialPermissions(request, name, entries);
        }
        if (!request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        if (!TryFind(request, path, XenstoreAccess.Write, NodeUse.Permissions, out StoreNode? node, out XenstoreError error))
        {
            return error;
        }
        if (!node.Permissions.IsOwner(request.Caller))
        {
            return XenstoreError.EACCES;
        }
        if (!request.Caller.Privileged && entries[0].Domain != node.Permissions.Owner)
        {
            return XenstoreError.EPERM;
        }
        if (entries.Length > request.Connection.Limits.Permissions)
        {
            return XenstoreError.ENOSPC;
        }
        return Change(request, new(ChangeKind.SetPermissions, path, null, new NodePermissions(entries)));
    }

    private XenstoreError? SetSpecialPermissions(Request request, ReadOnlySpan<byte> name, XenstorePermission[] entries)
    {
        if (!request.Caller.Privileged)
        {
            return XenstoreError.EACCES;
        }
        TreeEdit edit = new(Tree);
        edit.SetSpecial(Encoding.ASCII.GetString(name), new NodePermissions(entries));
        Tree = edit.Result();
        request.Acknowledge();
        return null;
    }

    private XenstoreError? Write(Request request)
    {
        if (!request.TryFirst(out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) || !request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        if (value.Length > request.Connection.Limits.ValueBytes)
        {
            return XenstoreError.ENOSPC;
        }
        return TryFind(request, path, XenstoreAccess.Write, NodeUse.Value, out _, out XenstoreError error) || error == XenstoreError.ENOENT
            ? Change(request, new(ChangeKind.Put, path, value.ToArray(), null))
            : error;
    }

    private XenstoreError? MakeDirectory(Request request)
    {
        if (!request.TryOnly(out ReadOnlySpan<byte> name) || !request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        if (TryFind(request, path, XenstoreAccess.Write, NodeUse.Existence, out _, out XenstoreError error))
        {
            request.Acknowledge();
            return null;
        }
        return error == XenstoreError.ENOENT ? Change(request, new(ChangeKind.Put, path, null, null)) : error;
    }

    private XenstoreError? Remove(Request request)
    {
        if (!request.TryOnly(out ReadOnlySpan<byte> name) || !request.TryPath(name, out string path))
        {
            return XenstoreError.EINVAL;
        }
        NodeUse use = path.Length == 1 ? NodeUse.Existence : NodeUse.Subtree;
        if (TryFind(request, path, XenstoreAccess.Write, use, out _, out XenstoreError error))
        {
            return path.Length == 1 ? XenstoreError.EINVAL : Change(request, new(ChangeKind.Remove, path, null, null));
        }
        if (error != XenstoreError.ENOENT)
        {
            return error;
        }
        string parent = StoreTree.Parent(path);
        request.Transaction?.Use(parent, NodeUse.Existence);
        if (TreeOf(request).Find(parent) is null)
        {
            return XenstoreError.ENOENT;
        }
        request.Acknowledge();
        return null;
    }

    private StoreTree TreeOf(Request request) => request.Transaction?.View ?? Tree;

    private NodePermissions? Special(Request request, ReadOnlySpan<byte> name) =>
        !name.IsEmpty && name[0] == '@' ? TreeOf(request).Special(Encoding.ASCII.GetString(name)) : null;

    /// <summary>
    /// Finds a node on which the caller has that access, and notes for the transaction what is used of it. Otherwise it is ENOENT or EACCES: that a
    /// node is not there is only for those to know who have the access to the lowest existing node above.
    /// </summary>
    private bool TryFind(Request request, string path, XenstoreAccess access, NodeUse use, [NotNullWhen(true)] out StoreNode? node, out XenstoreError error)
    {
        Caller caller = request.Caller;
        node = TreeOf(request).Find(path, out StoreNode nearest, out int nearestLength);
        if (request.Transaction is { } transaction)
        {
            if (!transaction.Uses.ContainsKey(path) && IsTooLarge(request.Connection, transaction))
            {
                error = XenstoreError.ENOSPC;
                return false;
            }
            transaction.Use(path, node is null || caller.Privileged ? use | NodeUse.Existence : use | NodeUse.Existence | NodeUse.Permissions);
            if (node is null && (access == XenstoreAccess.Write || !caller.Privileged))
            {
                // What is created, or whether that is allowed, follows from the lowest existing node, and from its being the lowest.
                transaction.Use(nearestLength == 0 ? "/" : path[..nearestLength], NodeUse.Existence | NodeUse.Permissions);
                transaction.Use(path[..StoreTree.SegmentEnd(path, nearestLength)], NodeUse.Existence);
            }
        }
        error = caller.Privileged || nearest.Permissions.Allow(caller, access) ? XenstoreError.ENOENT : XenstoreError.EACCES;
        return node is not null && error != XenstoreError.EACCES;
    }

    /// <summary>Makes a change that the caller may make, in the transaction or at once, unless a quota forbids it.</summary>
    private XenstoreError? Change(Request request, PendingChange change)
    {
        Connection connection = request.Connection;
        if (request.Transaction is { } transaction)
        {
            StoreTree before = transaction.View;
            transaction.Change(change, connection.Domain);
            if (ExceedsQuota(connection, before, transaction.View))
            {
                transaction.Undo(before);
                return XenstoreError.ENOSPC;
            }
            request.Acknowledge();
            return null;
        }
        TreeEdit edit = new(Tree);
        change.Apply(edit, connection.Domain);
        StoreTree after = edit.Result();
        if (ExceedsQuota(connection, Tree, after))
        {
            return XenstoreError.ENOSPC;
        }
        Tree = after;
        Fire(edit.Changes);
        request.Acknowledge();
        return null;
    }

    private bool IsTooLarge(Connection connection, Transaction transaction) => !connection.Caller.Privileged
        && (transaction.Uses.Count >= connection.Limits.TouchedNodes || Tree.OwnedBy(connection.Domain).Bytes + connection.HeldBytes >= connection.Limits.Bytes);

    // Only what grows is refused: whoever is above a quota that was lowered can still remove.
    private static bool ExceedsQuota(Connection connection, StoreTree before, StoreTree after)
    {
        if (connection.Caller.Privileged)
        {
            return false;
        }
        OwnedNodes had = before.OwnedBy(connection.Domain);
        OwnedNodes has = after.OwnedBy(connection.Domain);
        return (has.Nodes > had.Nodes && has.Nodes > connection.Limits.Nodes)
            || (has.Bytes > had.Bytes && has.Bytes + connection.HeldBytes > connection.Limits.Bytes);
    }
}
