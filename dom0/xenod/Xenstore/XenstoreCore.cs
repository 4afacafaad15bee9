// Moves bytes between the channels and the state machine: one loop, fair to all.

using Xenod.Xenstore.Journal;
using Xenod.Xenstore.Machine;
using Xenod.Xenstore.Transports;

namespace Xenod.Xenstore;

/// <summary>
/// The server without its waiting. Each round takes some requests of every client that has any, puts what is queued into the channels, writes
/// the journal, and then lets the clients see it. One thread at a time.
/// </summary>
internal sealed class XenstoreCore : IDomainRings, IDisposable
{
    /// <summary>Requests of one client in one round.</summary>
    private const int RequestsPerRound = 32;

    private readonly IXenstoreHost? _host;
    private readonly Action<uint> _ringReady;
    private readonly IJournalFile _file;
    private readonly Dictionary<uint, IChannel> _channels = [];
    private readonly HashSet<uint> _ready = [];
    private readonly HashSet<uint> _unsent = [];
    private readonly List<uint> _round = [];
    private readonly List<Connection> _taken = [];
    private readonly Dictionary<uint, IChannel> _touched = [];
    private readonly byte[] _buffer = new byte[4096];

    /// <summary>Takes the state out of the journal and connects the rings that were connected.</summary>
    /// <param name="file">The journal.</param>
    /// <param name="host">The hypervisor, or null where there is none.</param>
    /// <param name="limits">Quotas of guests.</param>
    /// <param name="ringReady">Called, from any thread, with the domain whose ring's event channel fired.</param>
    /// <param name="log">Told what happens.</param>
    public XenstoreCore(IJournalFile file, IXenstoreHost? host, StoreLimits limits, Action<uint> ringReady, Action<string> log)
    {
        _host = host;
        _file = file;
        _ringReady = ringReady;
        Log = log;
        Store = JournaledStore.Open(file, this, limits);
        Store.Log = log;
        Store.Machine.Log = log;
        ConnectRings();
    }

    public JournaledStore Store { get; }

    private Action<string> Log { get; }

    /// <summary>A client has connected to the socket.</summary>
    public uint AddSocket(IChannel channel)
    {
        Connection connection = Store.ConnectSocket();
        _channels.Add(connection.Id, channel);
        return connection.Id;
    }

    /// <summary>Whether the socket's client is still served.</summary>
    public bool IsServed(uint socket) => _channels.ContainsKey(socket);

    /// <summary>Whether messages wait for room in the socket's channel.</summary>
    public bool HasQueued(uint socket) => Store.Machine.Connections.TryGetValue(socket, out Connection? connection) && connection.QueuedBytes > 0;

    /// <summary>A client may have sent something, or may have read.</summary>
    public void Wake(uint connection)
    {
        _ready.Add(connection);
        _unsent.Add(connection);
    }

    /// <summary>Domains may have shut down or gone.</summary>
    public void DomainsChanged()
    {
        if (_host is null)
        {
            return;
        }
        Dictionary<uint, DomainState> domains;
        try
        {
            domains = _host.ListDomains().ToDictionary(state => state.Domain);
        }
        catch (IOException e)
        {
            Log($"xenstore cannot see which domains there are: {e.Message}");
            return;
        }
        foreach (uint id in Store.Machine.Connections.Keys.Where(id => id is > 0 and < Connection.FirstSocket).ToArray())
        {
            if (!domains.TryGetValue(id, out DomainState state) || state.Dying)
            {
                Store.DomainGone(id);
            }
            else if (state.ShutDown)
            {
                Store.DomainShutDown(id);
            }
        }
    }

    /// <summary>Does a share of the work there is.</summary>
    /// <returns>Whether it did anything; then there may be more.</returns>
    public bool Round()
    {
        bool worked = TakeRequests();
        worked |= PutMessages();
        Store.Flush();
        foreach ((uint id, IChannel channel) in _touched)
        {
            if (channel.Publish())
            {
                Wake(id);
                worked = true;
            }
        }
        _touched.Clear();
        return worked;
    }

    public RingPositions? Connect(uint domain, ulong frame, uint port, bool again)
    {
        try
        {
            if (_host is null)
            {
                throw new IOException("there is no hypervisor");
            }
            Disconnect(domain);
            IDomainRing ring = _host.Connect(domain, frame, port, () => _ringReady(domain));
            if (again)
            {
                RingChannel.Reset(ring.Page);
            }
            RingPositions positions = RingChannel.Positions(ring.Page);
            Add(domain, new RingChannel(ring, positions));
            return positions;
        }
        catch (IOException e)
        {
            Log($"xenstore cannot connect domain {domain} (frame {frame}, port {port}): {e.Message}");
            return null;
        }
    }

    public void Disconnect(uint domain)
    {
        if (_channels.Remove(domain, out IChannel? channel))
        {
            _touched.Remove(domain);
            channel.Dispose();
        }
    }

    /// <summary>Closes all channels; the journal keeps the state with nothing left to replay.</summary>
    public void Dispose()
    {
        Store.Flush();
        Store.Rewrite();
        foreach (IChannel channel in _channels.Values)
        {
            channel.Dispose();
        }
        _channels.Clear();
        _file.Dispose();
    }

    private void ConnectRings()
    {
        foreach (Connection connection in Store.Machine.Connections.Values.Where(connection => connection.Link is not null && connection.Domain != 0).ToArray())
        {
            Reconnect(connection, connection.Link!);
        }
        ConnectDomain0();
        DomainsChanged();
    }

    // The domain has not noticed anything: its ring goes on from where the journal says it is.
    private void Reconnect(Connection connection, DomainLink link)
    {
        if (connection.Broken)
        {
            return;
        }
        uint domain = connection.Domain;
        try
        {
            if (_host is null)
            {
                throw new IOException("there is no hypervisor");
            }
            Add(domain, new RingChannel(_host.Connect(domain, link.Frame, link.Port, () => _ringReady(domain)), link.Positions));
        }
        catch (IOException e)
        {
            Log($"xenstore cannot connect domain {domain} again (frame {link.Frame}, port {link.Port}): {e.Message}");
        }
    }

    private void ConnectDomain0()
    {
        if (_host?.ConnectDomain0(() => _ringReady(0)) is not { } ring)
        {
            return;
        }
        RingPositions positions = Store.Machine.Connections.TryGetValue(0, out Connection? known) && known.Link is { } link
            ? link.Positions
            : Store.ConnectDomain0(0, 0, RingChannel.Positions(ring.Page)).Link!.Positions;
        Add(0, new RingChannel(ring, positions));
    }

    private void Add(uint domain, IChannel channel)
    {
        _channels.Add(domain, channel);
        _touched[domain] = channel;
        Wake(domain);
    }

    private bool TakeRequests()
    {
        bool worked = false;
        _round.Clear();
        _round.AddRange(_ready);
        foreach (uint id in _round)
        {
            worked |= TakeRequests(id);
        }
        return worked;
    }

    private bool TakeRequests(uint id)
    {
        if (!_channels.TryGetValue(id, out IChannel? channel) || !Store.Machine.Connections.TryGetValue(id, out Connection? connection) || connection.Broken)
        {
            _ready.Remove(id);
            return false;
        }
        bool worked = false;
        for (int requests = 0; requests < RequestsPerRound;)
        {
            if (connection.QueuedBytes > connection.Limits.QueuedBytes)
            {
                // It goes on when the client has read; until then this costs nothing.
                return worked;
            }
            int count = channel.Peek(_buffer.AsSpan(0, Math.Min(_buffer.Length, connection.Needed)));
            if (count <= 0)
            {
                _ready.Remove(id);
                return count < 0 ? Drop(connection) : worked;
            }
            channel.Take(count);
            _touched[id] = channel;
            worked = true;
            if (Store.Receive(connection, _buffer.AsSpan(0, count)))
            {
                requests++;
            }
            if (connection.Broken)
            {
                return Drop(connection);
            }
            if (!_channels.TryGetValue(id, out IChannel? same) || same != channel)
            {
                // Its own request has ended it.
                return true;
            }
        }
        return worked;
    }

    private bool PutMessages()
    {
        Store.Machine.TakeUnsent(_taken);
        foreach (Connection connection in _taken)
        {
            _unsent.Add(connection.Id);
        }
        _taken.Clear();
        _round.Clear();
        _round.AddRange(_unsent);
        bool worked = false;
        foreach (uint id in _round)
        {
            worked |= PutMessages(id);
        }
        return worked;
    }

    private bool PutMessages(uint id)
    {
        if (!_channels.TryGetValue(id, out IChannel? channel) || !Store.Machine.Connections.TryGetValue(id, out Connection? connection))
        {
            _unsent.Remove(id);
            return false;
        }
        bool worked = false;
        _touched[id] = channel;
        while (connection.QueuedBytes > 0)
        {
            int wanted = connection.Peek(_buffer);
            int count = channel.Put(_buffer.AsSpan(0, wanted));
            if (count < 0)
            {
                _unsent.Remove(id);
                return Drop(connection);
            }
            if (count > 0)
            {
                Store.Sent(connection, count);
                worked = true;
            }
            if (count < wanted)
            {
                _unsent.Remove(id);
                return worked;
            }
        }
        _unsent.Remove(id);
        return worked;
    }

    // A socket is closed; a ring is left alone from now on, until its domain is introduced again or gone.
    private bool Drop(Connection connection)
    {
        if (connection.IsSocket)
        {
            Store.DisconnectSocket(connection);
            Disconnect(connection.Id);
        }
        else
        {
            Log($"xenstore leaves domain {connection.Domain} alone: {(connection.Broken ? "what it sent cannot be handled" : "its ring's positions make no sense")}");
            if (!connection.Broken)
            {
                Store.Break(connection);
            }
        }
        return true;
    }
}
