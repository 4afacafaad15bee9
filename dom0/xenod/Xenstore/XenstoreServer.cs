// The xenstore server of Domain 0: one thread that waits for sockets and rings.

using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Xenod.Xenstore.Journal;
using Xenod.Xenstore.Transports;
using Xenolith.Toolstack.Interop;

namespace Xenod.Xenstore;

/// <summary>Where the server listens and keeps its state.</summary>
internal sealed record XenstoreOptions
{
    /// <summary>The Unix socket, which only root may use; its clients are Domain 0.</summary>
    public string Socket { get; init; } = "/run/xenstored/socket";

    /// <summary>The journal. It has to lie where a boot of the machine starts with nothing.</summary>
    public string Journal { get; init; } = "/run/xenolith/xenstore.journal";

    public StoreLimits Limits { get; init; } = StoreLimits.Default;
}

/// <summary>
/// Listens, waits and calls the core. Made on one thread, run on one thread; <see cref="RingReady"/>, <see cref="DomainsChanged"/> and
/// <see cref="Stop"/> may be called from any.
/// </summary>
internal sealed class XenstoreServer : IDisposable
{
    private readonly string _path;
    private readonly Socket _listener;
    private readonly SafeFileHandle _wake = Descriptor.Event();
    private readonly XenstoreCore _core;
    private readonly Dictionary<uint, SocketChannel> _sockets = [];
    private readonly ConcurrentQueue<uint> _readyRings = new();
    private readonly List<(PollEntry Entry, uint Socket)> _waits = [];
    private volatile bool _domainsChanged;
    private volatile bool _stopping;

    /// <summary>Restores the state, connects the rings and listens.</summary>
    /// <exception cref="IOException">Another server is there already, or the socket or journal cannot be made.</exception>
    public XenstoreServer(XenstoreOptions options, IXenstoreHost? host, Action<string> log)
    {
        _path = options.Socket;
        JournalFile journal = new(options.Journal);
        try
        {
            _listener = Listen(_path);
            _core = new XenstoreCore(journal, host, options.Limits, RingReady, log);
        }
        catch
        {
            _listener?.Dispose();
            journal.Dispose();
            _wake.Dispose();
            throw;
        }
    }

    /// <summary>A ring's event channel has fired.</summary>
    public void RingReady(uint domain)
    {
        _readyRings.Enqueue(domain);
        Wake();
    }

    /// <summary>VIRQ_DOM_EXC has fired: domains may have shut down or gone.</summary>
    public void DomainsChanged()
    {
        _domainsChanged = true;
        Wake();
    }

    /// <summary>Makes <see cref="Run"/> return.</summary>
    public void Stop()
    {
        _stopping = true;
        Wake();
    }

    /// <summary>Serves until <see cref="Stop"/>.</summary>
    public void Run()
    {
        while (!_stopping)
        {
            bool worked = _core.Round();
            RemoveClosed();
            Wait(worked ? 0 : -1);
            if (_domainsChanged)
            {
                _domainsChanged = false;
                _core.DomainsChanged();
            }
            while (_readyRings.TryDequeue(out uint domain))
            {
                _core.Wake(domain);
            }
        }
    }

    /// <summary>Ends all connections. Domains find their state in the next server.</summary>
    public void Dispose()
    {
        _core.Dispose();
        _listener.Dispose();
        File.Delete(_path);
        _wake.Dispose();
    }

    private static Socket Listen(string path)
    {
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } directory)
        {
            Directory.CreateDirectory(directory);
        }
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            RemoveStale(path);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            // Nobody can connect before the next line.
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(128);
            socket.Blocking = false;
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new IOException($"xenstore cannot listen at {path}: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // A socket that a killed server has left answers nobody.
    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException)
        {
            File.Delete(path);
            return;
        }
        throw new IOException($"another xenstore server answers at {path}; stop it first");
    }

    private void Wait(int milliseconds)
    {
        _waits.Clear();
        foreach ((uint id, SocketChannel channel) in _sockets)
        {
            PollEvents wanted = (channel.WantsInput ? PollEvents.Input : PollEvents.None)
                | (channel.WantsOutput || _core.HasQueued(id) ? PollEvents.Output : PollEvents.None);
            _waits.Add((new PollEntry(channel.Descriptor, wanted), id));
        }
        Span<PollEntry> entries = _waits.Count < 64 ? stackalloc PollEntry[_waits.Count + 2] : new PollEntry[_waits.Count + 2];
        entries[0] = new PollEntry((int)_wake.DangerousGetHandle(), PollEvents.Input);
        entries[1] = new PollEntry((int)_listener.Handle, PollEvents.Input);
        for (int i = 0; i < _waits.Count; i++)
        {
            entries[i + 2] = _waits[i].Entry;
        }
        if (Descriptor.Poll(entries, milliseconds) <= 0)
        {
            return;
        }
        if (entries[0].Returned != PollEvents.None)
        {
            Span<byte> counter = stackalloc byte[8];
            Descriptor.Read(_wake, counter);
        }
        for (int i = 0; i < _waits.Count; i++)
        {
            Handle(_waits[i].Socket, entries[i + 2].Returned);
        }
        if (entries[1].Returned != PollEvents.None)
        {
            Accept();
        }
    }

    private void Handle(uint id, PollEvents events)
    {
        if (events == PollEvents.None)
        {
            return;
        }
        SocketChannel channel = _sockets[id];
        if ((events & PollEvents.Output) != 0)
        {
            channel.Publish();
        }
        if ((events & ~PollEvents.Output) != 0)
        {
            channel.Fill();
        }
        _core.Wake(id);
    }

    private void Accept()
    {
        try
        {
            Socket socket = _listener.Accept();
            socket.Blocking = false;
            SocketChannel channel = new(socket);
            _sockets.Add(_core.AddSocket(channel), channel);
        }
        catch (SocketException)
        {
            // Gone again, or no descriptors left: the next one may do better.
        }
    }

    private void RemoveClosed()
    {
        foreach (uint id in _sockets.Keys)
        {
            if (!_core.IsServed(id))
            {
                _sockets.Remove(id);
            }
        }
    }

    private void Wake() => Descriptor.Write(_wake, [1, 0, 0, 0, 0, 0, 0, 0]);
}
