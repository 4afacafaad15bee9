// The xenstore server on its own thread, with the hypervisor of this machine if there is one.

using Xenolith.Abi;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Grants;
using Xenolith.Toolstack.Hypercalls;

namespace Xenod.Xenstore;

/// <summary>Starts the server, tells it about domains, and ends it.</summary>
internal sealed class XenstoreService : IAsyncDisposable
{
    private readonly XenstoreServer _server;
    private readonly Thread _thread;
    private readonly ControlInterface? _control;
    private readonly IGrants? _grants;
    private readonly IEventChannels? _channels;
    private readonly IEventPort? _domainException;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _listening = Task.CompletedTask;

    private XenstoreService(XenstoreOptions options, bool usesHypervisor, Action<string> log)
    {
        try
        {
            XenstoreHost? host = null;
            if (usesHypervisor)
            {
                _control = ControlInterface.Open();
                _grants = OpenGrants(log);
                _channels = IEventChannels.Open();
                _domainException = _channels.BindVirtualIrq(VirtualIrq.DomainException);
                host = new XenstoreHost(_control, _grants, _channels);
            }
            _server = new XenstoreServer(options, host, log);
            _thread = new Thread(Run) { Name = "xenstore" };
            _thread.Start();
            _listening = _domainException is null ? Task.CompletedTask : ListenAsync(_domainException);
        }
        catch
        {
            Release();
            throw;
        }
    }

    /// <summary>Ends when the server's thread does, with what has ended it.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Starts the server.</summary>
    /// <param name="options">Where it listens and keeps its state.</param>
    /// <param name="usesHypervisor">Whether domains are served too, or only the socket.</param>
    /// <param name="log">Told what happens.</param>
    /// <exception cref="IOException">Another server is there already, or the socket or journal cannot be made.</exception>
    /// <exception cref="XenException">The hypervisor, or its interrupt for domains that end, cannot be had.</exception>
    public static XenstoreService Start(XenstoreOptions options, bool usesHypervisor, Action<string> log) => new(options, usesHypervisor, log);

    /// <summary>Stops the server; its state is in the journal.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        _server.Stop();
        _thread.Join();
        _server.Dispose();
        Release();
    }

    // Without the module, pages are mapped by their frames.
    private static IGrants? OpenGrants(Action<string> log)
    {
        try
        {
            return IGrants.Open();
        }
        catch (HypervisorUnavailableException e)
        {
            log($"xenstore maps rings by their frames: {e.Message}");
            return null;
        }
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

    private async Task ListenAsync(IEventPort port)
    {
        try
        {
            while (true)
            {
                await port.WaitAsync(_stop.Token).ConfigureAwait(false);
                _server.DomainsChanged();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Release()
    {
        _channels?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _grants?.Dispose();
        _control?.Dispose();
        _stop.Dispose();
    }
}
