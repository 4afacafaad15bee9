// A domain's console over all the times that it is started again.
namespace Xenod.Consoles;

/// <summary>The log of a domain, and its ring as long as it has one.</summary>
internal sealed class DomainConsole(ConsoleLog log) : IGuestConsole
{
    private volatile GuestConsole? _ring;
    private volatile TaskCompletionSource _ended = Completed();

    public ConsoleLog Log => log;

    public Task Ended => _ended.Task;

    /// <summary>The domain has a ring.</summary>
    internal bool IsAttached => _ring is not null;

    public Task TypeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation) => _ring?.TypeAsync(bytes, cancellation) ?? Task.CompletedTask;

    /// <summary>The domain starts with this ring.</summary>
    internal void Attach(GuestConsole ring)
    {
        if (_ended.Task.IsCompleted)
        {
            _ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _ring = ring;
    }

    /// <summary>Takes what was said last and lets go of the ring.</summary>
    internal async Task DetachAsync()
    {
        if (_ring is { } ring)
        {
            await ring.DisposeAsync().ConfigureAwait(false);
            _ring = null;
        }
    }

    /// <summary>How full its ring is; null while it has none.</summary>
    internal ConsoleRingUse? ReadRing() => _ring?.ReadUse();

    /// <summary>The domain will not start again.</summary>
    internal void End()
    {
        log.Rest();
        _ended.TrySetResult();
    }

    private static TaskCompletionSource Completed()
    {
        TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        source.SetResult();
        return source;
    }
}
