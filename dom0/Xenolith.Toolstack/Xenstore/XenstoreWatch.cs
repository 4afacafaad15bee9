// A client's watch: the events that nobody has read yet.

using System.Text;
using System.Threading.Channels;

namespace Xenolith.Toolstack.Xenstore;

internal sealed class XenstoreWatch(XenstoreConnection connection, string path, string token) : IXenstoreWatch
{
    private readonly Channel<string> _events = Channel.CreateUnbounded<string>();
    private readonly HashSet<string> _waiting = [];

    public string Path { get; } = path;

    public string Token { get; } = token;

    public byte[] Payload() => Encoding.ASCII.GetBytes($"{Path}\0{Token}\0");

    public void Add(string changed)
    {
        lock (_waiting)
        {
            if (!_waiting.Add(changed))
            {
                return;
            }
        }
        _events.Writer.TryWrite(changed);
    }

    public void End(Exception? cause) => _events.Writer.TryComplete(cause);

    public async ValueTask<string> NextAsync(CancellationToken cancellation)
    {
        string changed;
        try
        {
            changed = await _events.Reader.ReadAsync(cancellation).ConfigureAwait(false);
        }
        catch (ChannelClosedException e)
        {
            throw e.InnerException is null ? new ObjectDisposedException(nameof(XenstoreWatch)) : new XenstoreConnectionException(e.InnerException.Message, e.InnerException);
        }
        lock (_waiting)
        {
            _waiting.Remove(changed);
        }
        return changed;
    }

    public async IAsyncEnumerator<string> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        while (await _events.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            yield return await NextAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        connection.Forget(this);
        try
        {
            await connection.AskAsync(XenstoreOperation.Unwatch, 0, Path, Payload(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is XenstoreException or XenstoreConnectionException or ObjectDisposedException)
        {
            // Gone with its connection, or with a reset of all watches.
        }
    }
}
