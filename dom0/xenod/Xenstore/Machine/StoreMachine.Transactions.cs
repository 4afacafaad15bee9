// Transactions.

using System.Globalization;
using System.Text;
using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    /// <summary>How often, in changes, open transactions are looked at for their age.</summary>
    private const ulong AgeCheckInterval = 1024;

    private ulong _nextAgeCheck = AgeCheckInterval;

    private XenstoreError? StartTransaction(Request request)
    {
        Connection connection = request.Connection;
        if (request.Header.TransactionId != 0)
        {
            return XenstoreError.EBUSY;
        }
        if (connection.Transactions.Count >= connection.Limits.Transactions)
        {
            return XenstoreError.ENOSPC;
        }
        do
        {
            connection.LastTransaction++;
        }
        while (connection.LastTransaction == 0 || connection.Transactions.ContainsKey(connection.LastTransaction));
        connection.Transactions.Add(connection.LastTransaction, new Transaction(connection.LastTransaction, Tree));
        request.Reply(Encoding.ASCII.GetBytes(connection.LastTransaction.ToString(CultureInfo.InvariantCulture) + "\0"));
        return null;
    }

    private XenstoreError? EndTransaction(Request request)
    {
        if (request.Transaction is not { } transaction)
        {
            return XenstoreError.ENOENT;
        }
        if (!request.TryOnly(out ReadOnlySpan<byte> answer) || answer.Length != 1 || answer[0] is not ((byte)'T' or (byte)'F'))
        {
            return XenstoreError.EINVAL;
        }
        request.Connection.Transactions.Remove(transaction.Id);
        if (answer[0] == 'T' && Commit(request.Connection, transaction) is { } error)
        {
            return error;
        }
        request.Acknowledge();
        return null;
    }

    private XenstoreError? Commit(Connection connection, Transaction transaction)
    {
        if (transaction.ConflictsWith(Tree))
        {
            return XenstoreError.EAGAIN;
        }
        if (transaction.Changes.Count == 0)
        {
            return null;
        }
        TreeEdit edit = new(Tree);
        foreach (PendingChange change in transaction.Changes)
        {
            change.Apply(edit, connection.Domain);
        }
        StoreTree after = edit.Result();
        if (ExceedsQuota(connection, Tree, after))
        {
            return XenstoreError.ENOSPC;
        }
        Tree = after;
        Fire(LastOfEach(edit.Changes));
        return null;
    }

    // One event per node, whatever happened to it on the way; in the order of the last changes.
    private static List<NodeChange> LastOfEach(List<NodeChange> changes)
    {
        HashSet<string> seen = [];
        List<NodeChange> last = [];
        for (int i = changes.Count - 1; i >= 0; i--)
        {
            if (seen.Add(changes[i].Path))
            {
                last.Add(changes[i]);
            }
        }
        last.Reverse();
        return last;
    }

    // A transaction that a guest leaves open keeps old nodes in memory. Once much has changed since its start it starts again.
    private void OutdateTransactions()
    {
        if (Tree.NextVersion < _nextAgeCheck)
        {
            return;
        }
        _nextAgeCheck = Tree.NextVersion + AgeCheckInterval;
        foreach (Connection connection in _connections.Values)
        {
            foreach (Transaction transaction in connection.Transactions.Values)
            {
                if (Tree.NextVersion - transaction.Start.NextVersion > connection.Limits.TransactionAge)
                {
                    transaction.Outdate(Tree);
                }
            }
        }
    }
}
