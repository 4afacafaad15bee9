// The whole state as bytes, and back.

using Xenod.Xenstore.Journal;
using Xenod.Xenstore.Tree;

namespace Xenod.Xenstore.Machine;

internal sealed partial class StoreMachine
{
    /// <summary>Changes whenever the bytes mean something else.</summary>
    private const byte SnapshotFormat = 1;

    /// <summary>Writes everything. Equal states give equal bytes. What is queued for sockets is left out: they end with the process.</summary>
    public void Save(RecordWriter writer)
    {
        writer.Byte(SnapshotFormat);
        NodeTable nodes = new();
        nodes.Add(Tree.Root);
        foreach (Transaction transaction in _connections.Values.SelectMany(connection => connection.Transactions.Values))
        {
            nodes.Add(transaction.Start.Root);
            nodes.Add(transaction.View.Root);
        }
        nodes.Save(writer);
        Save(writer, nodes, Tree);
        writer.Number(LastSocket);
        writer.Number(_nextAgeCheck);
        writer.Flag(_logsRequests);
        writer.Number((ulong)_connections.Count);
        foreach (Connection connection in _connections.Values)
        {
            Save(writer, nodes, connection);
        }
    }

    /// <summary>Takes over what <see cref="Save"/> has written.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public void Load(ref RecordReader reader)
    {
        if (reader.Byte() != SnapshotFormat)
        {
            throw new InvalidDataException("the journal of xenstore has a format that this program does not know");
        }
        List<StoreNode> nodes = NodeTable.Load(ref reader);
        Tree = LoadTree(ref reader, nodes);
        LastSocket = reader.Number32();
        _nextAgeCheck = reader.Number();
        _logsRequests = reader.Flag();
        int count = reader.Count();
        for (int i = 0; i < count; i++)
        {
            Connection connection = LoadConnection(ref reader, nodes);
            _connections.Add(connection.Id, connection);
        }
    }

    private static void Save(RecordWriter writer, NodeTable nodes, StoreTree tree)
    {
        writer.Number((ulong)nodes.Place(tree.Root));
        writer.Number(tree.NextVersion);
        NodeTable.Save(writer, tree.IntroducePermissions);
        NodeTable.Save(writer, tree.ReleasePermissions);
    }

    private static StoreTree LoadTree(ref RecordReader reader, List<StoreNode> nodes)
    {
        StoreNode root = nodes[checked((int)reader.Number())];
        return new StoreTree
        {
            Root = root,
            NextVersion = reader.Number(),
            Owned = TreeEdit.Count(root),
            IntroducePermissions = NodeTable.LoadPermissions(ref reader),
            ReleasePermissions = NodeTable.LoadPermissions(ref reader),
        };
    }

    private static void Save(RecordWriter writer, NodeTable nodes, Connection connection)
    {
        writer.Number(connection.Id);
        writer.Flag(connection.Broken);
        writer.Flag(connection.EventsLost && !connection.IsSocket);
        writer.Number(connection.Target is { } target ? target + 1UL : 0);
        writer.Number(connection.LastTransaction);
        if (connection.Link is { } link)
        {
            writer.Number(link.Frame);
            writer.Number(link.Port);
            writer.Flag(link.ShutDown);
            writer.Number(link.Positions.RequestConsumer);
            writer.Number(link.Positions.ResponseProducer);
        }
        writer.Number((ulong)connection.Watches.Count);
        foreach (Watch watch in connection.Watches)
        {
            writer.Text(watch.Path);
            writer.Text(watch.Token);
            writer.Number((ulong)watch.Prefix);
        }
        writer.Bytes(connection.IsSocket ? [] : connection.Partial);
        SaveOutput(writer, connection);
        writer.Number((ulong)connection.Transactions.Count);
        foreach (Transaction transaction in connection.Transactions.Values)
        {
            Save(writer, nodes, transaction);
        }
    }

    private static void SaveOutput(RecordWriter writer, Connection connection)
    {
        if (connection.IsSocket)
        {
            writer.Number(0);
            writer.Number(0);
            return;
        }
        writer.Number((ulong)connection.HeadOffset);
        writer.Number((ulong)connection.Output.Count());
        foreach (QueuedMessage message in connection.Output)
        {
            writer.Bytes(message.Bytes);
            // An event of a watch that is gone stands for no later one.
            int watch = message.Event is { } queued ? connection.Watches.IndexOf(queued.Watch) + 1 : 0;
            writer.Number((ulong)watch);
            if (watch > 0)
            {
                writer.Text(message.Event!.Value.Path);
            }
        }
    }

    private Connection LoadConnection(ref RecordReader reader, List<StoreNode> nodes)
    {
        uint id = reader.Number32();
        Connection connection = new(id, id is 0 or >= Connection.FirstSocket ? StoreLimits.Unlimited : Limits, _unsent);
        bool broken = reader.Flag();
        bool eventsLost = reader.Flag();
        ulong target = reader.Number();
        connection.Target = target == 0 ? null : checked((uint)(target - 1));
        connection.LastTransaction = reader.Number32();
        if (!connection.IsSocket)
        {
            connection.Link = new DomainLink
            {
                Frame = reader.Number(),
                Port = reader.Number32(),
                ShutDown = reader.Flag(),
                Positions = new(reader.Number32(), reader.Number32()),
            };
        }
        int watches = reader.Count();
        for (int i = 0; i < watches; i++)
        {
            Watch watch = new(connection, reader.Text(), reader.Text(), checked((int)reader.Number()));
            connection.AddWatch(watch);
            _watches.Add(watch);
        }
        LoadOutput(ref reader, connection);
        connection.EventsLost = eventsLost;
        connection.Broken = broken;
        int transactions = reader.Count();
        for (int i = 0; i < transactions; i++)
        {
            Transaction transaction = LoadTransaction(ref reader, nodes);
            connection.Transactions.Add(transaction.Id, transaction);
        }
        return connection;
    }

    private static void LoadOutput(ref RecordReader reader, Connection connection)
    {
        ReadOnlySpan<byte> partial = reader.Bytes();
        int headOffset = checked((int)reader.Number());
        List<QueuedMessage> output = [];
        int count = reader.Count();
        for (int i = 0; i < count; i++)
        {
            byte[] bytes = reader.Bytes().ToArray();
            int watch = checked((int)reader.Number());
            output.Add(new(bytes, watch == 0 ? null : (connection.Watches[watch - 1], reader.Text())));
        }
        connection.RestoreMessages(partial, output, headOffset);
    }

    private static void Save(RecordWriter writer, NodeTable nodes, Transaction transaction)
    {
        writer.Number(transaction.Id);
        writer.Flag(transaction.Outdated);
        Save(writer, nodes, transaction.Start);
        Save(writer, nodes, transaction.View);
        writer.Number((ulong)transaction.Uses.Count);
        foreach ((string path, NodeUse use) in transaction.Uses)
        {
            writer.Text(path);
            writer.Byte((byte)use);
        }
        writer.Number((ulong)transaction.Changes.Count);
        foreach (PendingChange change in transaction.Changes)
        {
            writer.Byte((byte)change.Kind);
            writer.Text(change.Path);
            writer.Flag(change.Value is not null);
            writer.Bytes(change.Value);
            if (change.Permissions is { } permissions)
            {
                NodeTable.Save(writer, permissions);
            }
        }
    }

    private static Transaction LoadTransaction(ref RecordReader reader, List<StoreNode> nodes)
    {
        uint id = reader.Number32();
        bool outdated = reader.Flag();
        StoreTree start = LoadTree(ref reader, nodes);
        StoreTree view = LoadTree(ref reader, nodes);
        List<KeyValuePair<string, NodeUse>> uses = [];
        int count = reader.Count();
        for (int i = 0; i < count; i++)
        {
            uses.Add(new(reader.Text(), (NodeUse)reader.Byte()));
        }
        List<PendingChange> changes = [];
        count = reader.Count();
        for (int i = 0; i < count; i++)
        {
            ChangeKind kind = (ChangeKind)reader.Byte();
            string path = reader.Text();
            bool valued = reader.Flag();
            byte[] value = reader.Bytes().ToArray();
            changes.Add(new(kind, path, valued ? value : null, kind == ChangeKind.SetPermissions ? NodeTable.LoadPermissions(ref reader) : null));
        }
        return Transaction.Restore(id, start, view, outdated, uses, changes);
    }
}
