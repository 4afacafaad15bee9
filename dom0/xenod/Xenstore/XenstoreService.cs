// The xenstore server on its own thread.

namespace Xenod.Xenstore;

/// <summary>Starts the server, tells it about domains, and ends it.</summary>
internal sealed class XenstoreService : IAsyncDisposable
{
    private readonly XenstoreServer _server;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private XenstoreService(XenstoreServer server)
    {
        _server = server;
        _thread = new Thread(Run) { Name = "xenstore" };
        _thread.Start();
    }

    /// <summary>Ends when the server's thread does, with what has ended it.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Starts the server.</summary>
    /// <param name="options">Where it listens and keeps its state.</param>
    /// <param name="host">The hypervisor whose domains are served; null: the socket alone is.</param>
    /// <param name="log">Told what happens.</param>
    /// <exception cref="IOException">Another server is there already, or the socket or journal cannot be made.</exception>
    public static XenstoreService Start(XenstoreOptions options, IXenstoreHost? host, Action<string> log) => new(new XenstoreServer(options, host, log));

    /// <summary>VIRQ_DOM_EXC has fired: domains may have shut down or gone.</summary>
    public void DomainsChanged() => _server.DomainsChanged();

    /// <summary>Stops the server; its state is in the journal.</summary>
    public ValueTask DisposeAsync()
    {
        _server.Stop();
        _thread.Join();
        _server.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Run()
    {
        try
        {
            _server.Run();
            _ended.TrySetResult();
        }
        catch (Exception e)
        {
            _ended.TrySetException(e);
        }
    }
}
