// An open transaction: its view of the tree, what it has used and what it has changed.

using Xenod.Xenstore.Tree;

namespace Xenod.Xenstore.Machine;

/// <summary>What a transaction has used of a node.</summary>
[Flags]
internal enum NodeUse : byte
{
    /// <summary>That the node exists, or that it does not.</summary>
    Existence = 1,
    Value = 2,
    Permissions = 4,
    /// <summary>The names of the children.</summary>
    Children = 8,
    /// <summary>The node and everything below it.</summary>
    Subtree = 16,
}

/// <summary>The kinds of changes that a transaction collects.</summary>
internal enum ChangeKind : byte
{
    Put = 0,
    Remove = 1,
    SetPermissions = 2,
}

/// <summary>A change that a transaction will make.</summary>
internal readonly record struct PendingChange(ChangeKind Kind, string Path, byte[]? Value, NodePermissions? Permissions)
{
    public int Cost => 64 + 2 * Path.Length + (Value?.Length ?? 0) + 8 * (Permissions?.Entries.Length ?? 0);

    public void Apply(TreeEdit edit, uint creator)
    {
        switch (Kind)
        {
            case ChangeKind.Put:
                edit.Put(Path, Value, creator);
                break;
            case ChangeKind.Remove:
                edit.Remove(Path);
                break;
            default:
                edit.SetPermissions(Path, Permissions!);
                break;
        }
    }
}

/// <summary>
/// A transaction sees the tree of its start with its own changes. It can be committed when everything that it has used, which includes
/// what it has changed, is still as it was: then making its changes now is the same as having run as a whole now.
/// </summary>
internal sealed class Transaction(uint id, StoreTree start)
{
    private const int UseCost = 64;

    public uint Id { get; } = id;

    /// <summary>The tree at the start.</summary>
    public StoreTree Start { get; private set; } = start;

    /// <summary>The tree as the transaction sees it.</summary>
    public StoreTree View { get; private set; } = start;

    public Dictionary<string, NodeUse> Uses { get; } = [];

    public List<PendingChange> Changes { get; } = [];

    /// <summary>Whether it is too old and can only be started again.</summary>
    public bool Outdated { get; private set; }

    /// <summary>Bytes that it holds beside the trees.</summary>
    public long Cost { get; private set; }

    public void Use(string path, NodeUse use)
    {
        ref NodeUse known = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(Uses, path, out bool exists);
        known |= use;
        if (!exists)
        {
            Cost += UseCost + 2 * path.Length;
        }
    }

    public void Change(PendingChange change, uint creator)
    {
        TreeEdit edit = new(View);
        change.Apply(edit, creator);
        View = edit.Result();
        Changes.Add(change);
        Cost += change.Cost;
    }

    /// <summary>Takes the last change back.</summary>
    public void Undo(StoreTree before)
    {
        Cost -= Changes[^1].Cost;
        Changes.RemoveAt(Changes.Count - 1);
        View = before;
    }

    /// <summary>Whether somebody else has changed what this transaction has used.</summary>
    public bool ConflictsWith(StoreTree current)
    {
        if (Outdated)
        {
            return true;
        }
        if (ReferenceEquals(Start.Root, current.Root))
        {
            return false;
        }
        foreach ((string path, NodeUse use) in Uses)
        {
            if (Differ(Start.Find(path), current.Find(path), use))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Lets go of the old trees: it goes on with the current one, and its commit will fail.</summary>
    public void Outdate(StoreTree current)
    {
        Outdated = true;
        Start = View = current;
        Uses.Clear();
        Changes.Clear();
        Cost = 0;
    }

    /// <summary>A transaction as it was kept.</summary>
    public static Transaction Restore(uint id, StoreTree start, StoreTree view, bool outdated, IEnumerable<KeyValuePair<string, NodeUse>> uses, IEnumerable<PendingChange> changes)
    {
        Transaction transaction = new(id, start) { View = view, Outdated = outdated };
        foreach ((string path, NodeUse use) in uses)
        {
            transaction.Use(path, use);
        }
        foreach (PendingChange change in changes)
        {
            transaction.Changes.Add(change);
            transaction.Cost += change.Cost;
        }
        return transaction;
    }

    private static bool Differ(StoreNode? before, StoreNode? now, NodeUse use)
    {
        if (ReferenceEquals(before, now))
        {
            return false;
        }
        return before is null || now is null || before.Created != now.Created
            || ((use & NodeUse.Subtree) != 0)
            || ((use & NodeUse.Value) != 0 && before.ValueVersion != now.ValueVersion)
            || ((use & NodeUse.Permissions) != 0 && before.PermissionsVersion != now.PermissionsVersion)
            || ((use & NodeUse.Children) != 0 && before.ListVersion != now.ListVersion);
    }
}
