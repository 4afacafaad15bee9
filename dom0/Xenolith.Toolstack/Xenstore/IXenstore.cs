// A connection to xenstore as the rest of the tools sees it.

namespace Xenolith.Toolstack.Xenstore;

/// <summary>A connection to xenstore. Its members may be called from several threads at once.</summary>
public interface IXenstore : IXenstoreNodes, IAsyncDisposable
{
    /// <summary>
    /// Starts a transaction: what it reads is as it was now, and its writes are seen by nobody before the commit.
    /// <see cref="TransactAsync{T}"/> is what most callers want.
    /// </summary>
    Task<IXenstoreTransaction> BeginTransactionAsync(CancellationToken cancellation = default);

    /// <summary>
    /// Runs <paramref name="body"/> in a transaction and commits it; runs it again as often as somebody else changes in the meantime
    /// what it used. When it throws, nothing is changed.
    /// </summary>
    Task<T> TransactAsync<T>(Func<IXenstoreNodes, CancellationToken, Task<T>> body, CancellationToken cancellation = default);

    /// <summary>The same for a body without a result.</summary>
    Task TransactAsync(Func<IXenstoreNodes, CancellationToken, Task> body, CancellationToken cancellation = default);

    /// <summary>
    /// Watches a node and all below it, or one of the special names of <see cref="XenstorePath"/>. The first event comes at once, whether
    /// or not there is such a node.
    /// </summary>
    Task<IXenstoreWatch> WatchAsync(string path, CancellationToken cancellation = default);

    /// <summary>Drops all watches and transactions of this connection in the server.</summary>
    Task ResetWatchesAsync(CancellationToken cancellation = default);

    /// <summary>The directory of a domain, whether or not there is such a domain.</summary>
    Task<string> GetDomainPathAsync(uint domain, CancellationToken cancellation = default);

    /// <summary>Connects a domain's ring to the server. Domain 0 only.</summary>
    /// <param name="domain">The domain's id.</param>
    /// <param name="frame">The machine frame number of the domain's xenstore page.</param>
    /// <param name="port">The domain's event channel for xenstore.</param>
    /// <param name="cancellation">Stops the waiting, not the server.</param>
    Task IntroduceAsync(uint domain, ulong frame, uint port, CancellationToken cancellation = default);

    /// <summary>Disconnects a domain. Domain 0 only.</summary>
    Task ReleaseAsync(uint domain, CancellationToken cancellation = default);

    /// <summary>Says that a domain which was shut down to be suspended runs again. Domain 0 only.</summary>
    Task ResumeAsync(uint domain, CancellationToken cancellation = default);

    /// <summary>Gives a domain the rights of the domain that it serves. Domain 0 only.</summary>
    Task SetTargetAsync(uint domain, uint target, CancellationToken cancellation = default);

    /// <summary>Whether a domain's ring is connected. Domain 0 only.</summary>
    Task<bool> IsIntroducedAsync(uint domain, CancellationToken cancellation = default);

    /// <summary>Sends the server a command, such as <c>check</c>, and returns what it says. Domain 0 only.</summary>
    Task<string> ControlAsync(IReadOnlyList<string> arguments, CancellationToken cancellation = default);
}

/// <summary>A transaction. Dropped when disposed of without a commit.</summary>
public interface IXenstoreTransaction : IXenstoreNodes, IAsyncDisposable
{
    /// <summary>Makes all writes at once, or none of them: false when somebody else changed what the transaction used.</summary>
    Task<bool> CommitAsync(CancellationToken cancellation = default);
}

/// <summary>
/// A watch: a stream of the paths that changed, with equal ones merged until they are read. Ends with an exception when the connection is
/// lost. Only one reader at a time. Removed when disposed of.
/// </summary>
public interface IXenstoreWatch : IAsyncEnumerable<string>, IAsyncDisposable
{
    /// <summary>What is watched.</summary>
    string Path { get; }

    /// <summary>Waits for the next event.</summary>
    /// <exception cref="XenstoreConnectionException">The connection is lost.</exception>
    /// <exception cref="ObjectDisposedException">The watch is removed.</exception>
    ValueTask<string> NextAsync(CancellationToken cancellation = default);
}
