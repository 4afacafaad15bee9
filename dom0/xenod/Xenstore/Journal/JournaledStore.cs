// The state machine with a journal of its inputs.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Xenstore.Journal;

/// <summary>
/// Every input that changes the state goes through here and is noted. <see cref="Flush"/> writes the notes; only then may the outside see
/// what followed from them. So a process that dies has either not done a thing at all, or the next one knows of it. A journal begins with a
/// snapshot and gets a new beginning when it has grown.
/// </summary>
internal sealed class JournaledStore
{
    private enum Input : byte
    {
        Snapshot = 1,
        SocketConnected = 2,
        SocketClosed = 3,
        Received = 4,
        Sent = 5,
        Broken = 6,
        DomainShutDown = 7,
        DomainGone = 8,
        Domain0 = 9,
    }

    private enum ConnectResult : byte
    {
        NotAsked = 0,
        Failed = 1,
        Connected = 2,
    }

    /// <summary>Asks the real rings and remembers the answer.</summary>
    private sealed class Listener(IDomainRings rings) : IDomainRings
    {
        public ConnectResult Result { get; set; }

        public RingPositions Positions { get; private set; }

        public RingPositions? Connect(uint domain, ulong frame, uint port, bool again)
        {
            RingPositions? positions = rings.Connect(domain, frame, port, again);
            Result = positions is null ? ConnectResult.Failed : ConnectResult.Connected;
            Positions = positions ?? default;
            return positions;
        }

        public void Disconnect(uint domain) => rings.Disconnect(domain);
    }

    /// <summary>Answers as the real rings did then.</summary>
    private sealed class Memory : IDomainRings
    {
        public RingPositions? Positions { get; set; }

        public RingPositions? Connect(uint domain, ulong frame, uint port, bool again) => Positions;

        public void Disconnect(uint domain)
        {
        }
    }

    /// <summary>Bytes that a journal may have grown by, whatever its first snapshot's size, before it gets a new one.</summary>
    private const int SmallestGrowth = 4 << 20;

    private const int GrowthFactor = 4;

    /// <summary>After a failure to write, the whole state is tried again once in so many times.</summary>
    private const int RetryInterval = 256;

    private readonly IJournalFile _file;
    private readonly Listener _listener;
    private readonly RecordWriter _writer = new();
    private long _grown;
    private long _snapshotLength;
    private int _failures;

    private JournaledStore(StoreMachine machine, IJournalFile file, Listener listener)
    {
        Machine = machine;
        _file = file;
        _listener = listener;
    }

    public StoreMachine Machine { get; }

    /// <summary>What the journal says for the log.</summary>
    public Action<string>? Log { get; set; }

    /// <summary>The state that a journal keeps, or a new one when it is empty. Records that were not written whole are left out.</summary>
    /// <exception cref="InvalidDataException">The journal was written by a program that this one does not understand.</exception>
    public static JournaledStore Open(IJournalFile file, IDomainRings rings, StoreLimits limits)
    {
        Listener listener = new(rings);
        Memory memory = new();
        StoreMachine machine = new(limits, memory);
        ReadOnlySpan<byte> rest = file.Read();
        bool first = true;
        while (RecordReader.TryNext(ref rest, out ReadOnlySpan<byte> content))
        {
            Replay(machine, memory, new RecordReader(content), first);
            first = false;
            ForgetSocketOutput(machine);
        }
        machine.Rings = listener;
        machine.Restored();
        JournaledStore store = new(machine, file, listener);
        store.Rewrite();
        return store;
    }

    /// <summary>What a journal's bytes say, without going on with it.</summary>
    public static StoreMachine Replay(ReadOnlySpan<byte> journal, StoreLimits limits)
    {
        Memory memory = new();
        StoreMachine machine = new(limits, memory);
        bool first = true;
        while (RecordReader.TryNext(ref journal, out ReadOnlySpan<byte> content))
        {
            Replay(machine, memory, new RecordReader(content), first);
            first = false;
        }
        return machine;
    }

    public Connection ConnectSocket()
    {
        Connection connection = Machine.ConnectSocket();
        Note(Input.SocketConnected, []);
        return connection;
    }

    public void DisconnectSocket(Connection connection)
    {
        Machine.DisconnectSocket(connection);
        Note(Input.SocketClosed, [connection.Id]);
    }

    public Connection ConnectDomain0(ulong frame, uint port, RingPositions positions)
    {
        Note(Input.Domain0, [frame, port, positions.RequestConsumer, positions.ResponseProducer]);
        return Machine.ConnectDomain0(frame, port, positions);
    }

    /// <summary>See <see cref="StoreMachine.Receive"/>.</summary>
    public bool Receive(Connection connection, ReadOnlySpan<byte> bytes)
    {
        // Of a socket only whole messages are noted, and only those that change something: its other bytes end with the process.
        ReadOnlySpan<byte> before = connection.IsSocket ? connection.Partial : [];
        _writer.Begin();
        _writer.Byte((byte)Input.Received);
        _writer.Number(connection.Id);
        _writer.Bytes(before, bytes);
        _listener.Result = ConnectResult.NotAsked;
        bool complete;
        try
        {
            complete = Machine.Receive(connection, bytes);
        }
        catch (Exception e)
        {
            // A fault of this program. Read again after a restart it would happen again: better that one client ends than all of them stop.
            Log?.Invoke($"xenstore could not handle a request of connection {connection.Id}: {e}");
            _writer.Abandon();
            Break(connection);
            return false;
        }
        if (connection.IsSocket && (!complete || !Changes(connection.Header)))
        {
            _writer.Abandon();
            return complete;
        }
        _writer.Byte((byte)_listener.Result);
        if (_listener.Result == ConnectResult.Connected)
        {
            _writer.Number(_listener.Positions.RequestConsumer);
            _writer.Number(_listener.Positions.ResponseProducer);
        }
        _writer.End();
        return complete;
    }

    /// <summary>See <see cref="StoreMachine.Sent"/>.</summary>
    public void Sent(Connection connection, int count)
    {
        Machine.Sent(connection, count);
        if (!connection.IsSocket)
        {
            Note(Input.Sent, [connection.Id, (uint)count]);
        }
    }

    /// <summary>See <see cref="StoreMachine.Break"/>.</summary>
    public void Break(Connection connection)
    {
        Machine.Break(connection);
        if (!connection.IsSocket)
        {
            Note(Input.Broken, [connection.Id]);
        }
    }

    public void DomainShutDown(uint domain)
    {
        Machine.DomainShutDown(domain);
        Note(Input.DomainShutDown, [domain]);
    }

    public void DomainGone(uint domain)
    {
        Machine.DomainGone(domain);
        Note(Input.DomainGone, [domain]);
    }

    /// <summary>Writes what was noted. Afterwards the outside may see it.</summary>
    public void Flush()
    {
        if (_writer.Length == 0)
        {
            return;
        }
        if (_failures > 0)
        {
            _writer.Clear();
            if (_failures++ % RetryInterval == 0)
            {
                Rewrite();
            }
            return;
        }
        try
        {
            _file.Append(_writer.Written);
            _grown += _writer.Length;
            _writer.Clear();
        }
        catch (IOException e)
        {
            Fail(e);
            return;
        }
        if (_grown > Math.Max(SmallestGrowth, GrowthFactor * _snapshotLength))
        {
            Rewrite();
        }
    }

    /// <summary>Gives the journal a new beginning.</summary>
    public void Rewrite()
    {
        RecordWriter snapshot = new();
        snapshot.Begin();
        snapshot.Byte((byte)Input.Snapshot);
        Machine.Save(snapshot);
        snapshot.End();
        try
        {
            _file.Replace(snapshot.Written);
            _snapshotLength = snapshot.Length;
            _grown = 0;
            if (_failures > 0)
            {
                _failures = 0;
                Log?.Invoke("the journal of xenstore can be written again");
            }
        }
        catch (IOException e)
        {
            Fail(e);
        }
    }

    // Guests go on without a journal rather than stand still; what is lost when the process dies now is said.
    private void Fail(IOException cause)
    {
        if (_failures == 0)
        {
            Log?.Invoke($"the journal of xenstore cannot be written ({cause.Message}): make room, or a restart loses what changes from now on");
        }
        _failures++;
        _writer.Clear();
    }

    private static bool Changes(XenstoreHeader header) => header.TransactionId != 0 || header.Operation is not (XenstoreOperation.Read or XenstoreOperation.Directory
        or XenstoreOperation.DirectoryPart or XenstoreOperation.GetPermissions or XenstoreOperation.GetDomainPath or XenstoreOperation.IsDomainIntroduced);

    private void Note(Input input, ReadOnlySpan<ulong> numbers)
    {
        _writer.Begin();
        _writer.Byte((byte)input);
        foreach (ulong number in numbers)
        {
            _writer.Number(number);
        }
        _writer.End();
    }

    private static void ForgetSocketOutput(StoreMachine machine)
    {
        List<Connection> unsent = [];
        machine.TakeUnsent(unsent);
        foreach (Connection connection in unsent)
        {
            if (connection.IsSocket)
            {
                connection.ClearMessages();
            }
        }
    }

    private static void Replay(StoreMachine machine, Memory memory, RecordReader record, bool first)
    {
        Input input = (Input)record.Byte();
        if (first != (input == Input.Snapshot))
        {
            throw new InvalidDataException("the journal of xenstore does not begin with a snapshot");
        }
        switch (input)
        {
            case Input.Snapshot:
                machine.Load(ref record);
                break;
            case Input.SocketConnected:
                machine.ConnectSocket();
                break;
            case Input.SocketClosed:
                machine.DisconnectSocket(Known(machine, ref record));
                break;
            case Input.Received:
                ReplayReceived(machine, memory, ref record);
                break;
            case Input.Sent:
                machine.Sent(Known(machine, ref record), checked((int)record.Number()));
                break;
            case Input.Broken:
                machine.Break(Known(machine, ref record));
                break;
            case Input.DomainShutDown:
                machine.DomainShutDown(record.Number32());
                break;
            case Input.DomainGone:
                machine.DomainGone(record.Number32());
                break;
            case Input.Domain0:
                machine.ConnectDomain0(record.Number(), record.Number32(), new(record.Number32(), record.Number32()));
                break;
            default:
                throw new InvalidDataException("the journal of xenstore has a record that this program does not know");
        }
        if (!record.AtEnd)
        {
            throw new InvalidDataException("a record of xenstore's journal is longer than it should be");
        }
    }

    private static void ReplayReceived(StoreMachine machine, Memory memory, ref RecordReader record)
    {
        Connection connection = Known(machine, ref record);
        ReadOnlySpan<byte> bytes = record.Bytes();
        memory.Positions = (ConnectResult)record.Byte() == ConnectResult.Connected ? new(record.Number32(), record.Number32()) : null;
        while (!bytes.IsEmpty)
        {
            int length = Math.Min(bytes.Length, connection.Needed);
            machine.Receive(connection, bytes[..length]);
            bytes = bytes[length..];
        }
    }

    private static Connection Known(StoreMachine machine, ref RecordReader record) =>
        machine.Connections.TryGetValue(record.Number32(), out Connection? connection)
            ? connection
            : throw new InvalidDataException("a record of xenstore's journal is about a connection that is not there");
}
