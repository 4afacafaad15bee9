// The heart of the xenstore server: a state machine.

using Xenod.Xenstore.Tree;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Machine;

/// <summary>
/// Everything the server knows, and what happens to it. Each public method is one input; the same inputs in the same order always give the
/// same state and the same queued messages, which is what lets a journal of inputs bring a state back. One thread at a time. Does no input or
/// output of its own, except that INTRODUCE asks <see cref="IDomainRings"/>.
/// </summary>
internal sealed partial class StoreMachine(StoreLimits limits, IDomainRings rings)
{
    private readonly SortedDictionary<uint, Connection> _connections = [];
    private readonly WatchTable _watches = new();
    private readonly List<Connection> _unsent = [];

    public StoreLimits Limits { get; private set; } = limits;

    /// <summary>Connects rings; another one while a journal is read.</summary>
    public IDomainRings Rings { get; set; } = rings;

    public StoreTree Tree { get; private set; } = StoreTree.Initial();

    public IReadOnlyDictionary<uint, Connection> Connections => _connections;

    public WatchTable Watches => _watches;

    /// <summary>What the server says for its log.</summary>
    public Action<string>? Log { get; set; }

    public uint LastSocket { get; private set; } = Connection.FirstSocket - 1;

    /// <summary>A client has connected to the socket.</summary>
    public Connection ConnectSocket()
    {
        Connection connection = new(++LastSocket, StoreLimits.Unlimited, _unsent);
        _connections.Add(connection.Id, connection);
        return connection;
    }

    /// <summary>A socket is closed.</summary>
    public void DisconnectSocket(Connection connection)
    {
        ReleaseAll(connection);
        _connections.Remove(connection.Id);
    }

    /// <summary>Bytes have come, at most up to the end of the header or of the message that is being received. Answers a message that is complete.</summary>
    /// <returns>Whether a message was complete.</returns>
    public bool Receive(Connection connection, ReadOnlySpan<byte> bytes)
    {
        if (connection.Broken)
        {
            return false;
        }
        if (connection.Link is { } link)
        {
            link.Positions = link.Positions with { RequestConsumer = link.Positions.RequestConsumer + (uint)bytes.Length };
        }
        connection.Append(bytes);
        if (connection.PartialLength < XenstoreHeader.Size)
        {
            return false;
        }
        if (connection.Header.Length > XenstoreHeader.MaximumPayload)
        {
            Break(connection);
            return false;
        }
        if (connection.Needed > 0)
        {
            return false;
        }
        Handle(connection, connection.Header, connection.Partial[XenstoreHeader.Size..]);
        connection.ClearPartial();
        return true;
    }

    /// <summary>The client has got that many bytes of what is queued for it.</summary>
    public void Sent(Connection connection, int count)
    {
        connection.Dequeue(count);
        if (connection.Link is { } link)
        {
            link.Positions = link.Positions with { ResponseProducer = link.Positions.ResponseProducer + (uint)count };
        }
        if (connection.EventsLost && connection.QueuedBytes == 0)
        {
            connection.EventsLost = false;
            FireAll(connection);
        }
    }

    /// <summary>The client breaks the protocol: nothing is taken from it or sent to it any more, until it is introduced again.</summary>
    public void Break(Connection connection)
    {
        ReleaseAll(connection);
        connection.ClearMessages();
        connection.Broken = true;
    }

    /// <summary>The server runs again with what was kept: sockets are gone with their process, and each watch fires, in case its event is what got lost.</summary>
    public void Restored()
    {
        foreach (Connection connection in _connections.Values.Where(connection => connection.IsSocket).ToArray())
        {
            DisconnectSocket(connection);
        }
        foreach (Connection connection in _connections.Values)
        {
            FireAll(connection);
        }
    }

    /// <summary>Those who got something into their queues since the last call.</summary>
    public void TakeUnsent(List<Connection> destination)
    {
        foreach (Connection connection in _unsent)
        {
            connection.Looked();
            destination.Add(connection);
        }
        _unsent.Clear();
    }

    private void Handle(Connection connection, XenstoreHeader header, ReadOnlySpan<byte> payload)
    {
        LogRequest(connection, header, payload);
        XenstoreError? error;
        Transaction? transaction = null;
        if (UsesTransaction(header.Operation) && header.TransactionId != 0 && !connection.Transactions.TryGetValue(header.TransactionId, out transaction))
        {
            error = XenstoreError.ENOENT;
        }
        else
        {
            error = Answer(new Request(connection, header, payload, transaction));
        }
        if (error is not { } known)
        {
            return;
        }
        if (known == XenstoreError.EPERM && !connection.IsSocket)
        {
            // Linux does not know the other name.
            known = XenstoreError.EACCES;
        }
        connection.Reply(header, XenstoreOperation.Error, [.. XenstoreErrorNames.ToWire(known), 0]);
    }

    private static bool UsesTransaction(XenstoreOperation operation) => operation is XenstoreOperation.Directory or XenstoreOperation.DirectoryPart or XenstoreOperation.Read
        or XenstoreOperation.GetPermissions or XenstoreOperation.SetPermissions or XenstoreOperation.Write or XenstoreOperation.MakeDirectory or XenstoreOperation.Remove
        or XenstoreOperation.TransactionEnd;

    private XenstoreError? Answer(Request request) => request.Header.Operation switch
    {
        XenstoreOperation.Directory => List(request),
        XenstoreOperation.DirectoryPart => ListPart(request),
        XenstoreOperation.Read => Read(request),
        XenstoreOperation.GetPermissions => GetPermissions(request),
        XenstoreOperation.SetPermissions => SetPermissions(request),
        XenstoreOperation.Write => Write(request),
        XenstoreOperation.MakeDirectory => MakeDirectory(request),
        XenstoreOperation.Remove => Remove(request),
        XenstoreOperation.Watch => AddWatch(request),
        XenstoreOperation.Unwatch => RemoveWatch(request),
        XenstoreOperation.ResetWatches => ResetWatches(request),
        XenstoreOperation.TransactionStart => StartTransaction(request),
        XenstoreOperation.TransactionEnd => EndTransaction(request),
        XenstoreOperation.GetDomainPath => GetDomainPath(request),
        XenstoreOperation.Control or XenstoreOperation.Introduce or XenstoreOperation.Release or XenstoreOperation.IsDomainIntroduced or XenstoreOperation.Resume
            or XenstoreOperation.SetTarget when !request.Caller.Privileged => XenstoreError.EACCES,
        XenstoreOperation.Control => Control(request),
        XenstoreOperation.Introduce => Introduce(request),
        XenstoreOperation.Release => Release(request),
        XenstoreOperation.IsDomainIntroduced => IsIntroduced(request),
        XenstoreOperation.Resume => Resume(request),
        XenstoreOperation.SetTarget => SetTarget(request),
        _ => XenstoreError.ENOSYS,
    };

    private void ReleaseAll(Connection connection)
    {
        connection.Transactions.Clear();
        foreach (Watch watch in connection.Watches.ToArray())
        {
            _watches.Remove(watch);
            connection.RemoveWatch(watch);
        }
    }
}
