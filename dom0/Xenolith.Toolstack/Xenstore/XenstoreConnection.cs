// Requests and replies over one transport: many at a time, matched by their numbers.

using System.Text;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>
/// Sends requests and hands each its reply. A request whose caller stops waiting stays registered until its reply has come, because the
/// server answers in any case.
/// </summary>
internal sealed class XenstoreConnection : IAsyncDisposable
{
    private sealed class Request(XenstoreOperation operation, string subject) : TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public XenstoreOperation Operation { get; } = operation;
        public string Subject { get; } = subject;
    }

    private readonly IXenstoreTransport _transport;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<uint, Request> _requests = [];
    private readonly Dictionary<string, XenstoreWatch> _watches = [];
    private readonly Task _receiver;
    private uint _lastRequest;
    private ulong _lastToken;
    private Exception? _lost;

    public XenstoreConnection(IXenstoreTransport transport)
    {
        _transport = transport;
        _receiver = ReceiveAllAsync();
    }

    /// <summary>Sends a request and returns its reply's payload.</summary>
    /// <param name="operation">What to ask.</param>
    /// <param name="transaction">The transaction's number, or 0.</param>
    /// <param name="subject">What the request is about, for exceptions.</param>
    /// <param name="payload">The request's payload, at most 4096 bytes.</param>
    /// <param name="cancellation">Ends the wait for the server; what it was asked may still be done.</param>
    public async Task<byte[]> AskAsync(XenstoreOperation operation, uint transaction, string subject, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        Task<byte[]> reply = await SendAsync(operation, transaction, subject, payload, cancellation).ConfigureAwait(false);
        return await reply.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Sends a request; the result ends when its reply comes.</summary>
    public async Task<Task<byte[]>> SendAsync(XenstoreOperation operation, uint transaction, string subject, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        if (payload.Length > XenstoreHeader.MaximumPayload)
        {
            throw new XenstoreException(operation, subject, XenstoreError.E2BIG);
        }
        Request request = new(operation, subject);
        await _sending.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            uint id = Register(request);
            try
            {
                // Half a message would end the connection for everybody: once begun, it is sent.
                await _transport.SendAsync(XenstoreHeader.Format(operation, id, transaction, payload.Span), _stop.Token).ConfigureAwait(false);
            }
            catch (XenstoreRefusal refusal)
            {
                Take(id);
                throw new XenstoreException(operation, subject, refusal.Error);
            }
            catch (Exception e)
            {
                throw Lose(e);
            }
        }
        finally
        {
            _sending.Release();
        }
        return request.Task;
    }

    /// <summary>Makes a watch and registers it with the server.</summary>
    public async Task<XenstoreWatch> WatchAsync(string path, CancellationToken cancellation)
    {
        XenstoreWatch watch;
        lock (_lock)
        {
            watch = new XenstoreWatch(this, path, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"x{++_lastToken}"));
            _watches.Add(watch.Token, watch);
        }
        Task<byte[]>? reply = null;
        try
        {
            reply = await SendAsync(XenstoreOperation.Watch, 0, path, watch.Payload(), cancellation).ConfigureAwait(false);
            await reply.WaitAsync(cancellation).ConfigureAwait(false);
            return watch;
        }
        catch
        {
            Forget(watch);
            if (reply is not null && !reply.IsFaulted)
            {
                // The server still makes the watch that nobody waits for.
                _ = reply.ContinueWith(_ => SendAsync(XenstoreOperation.Unwatch, 0, path, watch.Payload(), CancellationToken.None), TaskContinuationOptions.OnlyOnRanToCompletion);
            }
            throw;
        }
    }

    /// <summary>Hands no more events to the watch.</summary>
    public void Forget(XenstoreWatch watch)
    {
        lock (_lock)
        {
            _watches.Remove(watch.Token);
        }
        watch.End(null);
    }

    /// <summary>Ends all watches: the server has dropped them.</summary>
    public void ForgetWatches()
    {
        XenstoreWatch[] watches;
        lock (_lock)
        {
            watches = [.. _watches.Values];
            _watches.Clear();
        }
        foreach (XenstoreWatch watch in watches)
        {
            watch.End(null);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _transport.DisposeAsync().ConfigureAwait(false);
        await _receiver.ConfigureAwait(false);
        _stop.Dispose();
        _sending.Dispose();
    }

    private uint Register(Request request)
    {
        lock (_lock)
        {
            if (_lost is not null)
            {
                throw new XenstoreConnectionException("the connection to xenstore is lost; connect again", _lost);
            }
            do
            {
                _lastRequest++;
            }
            while (!_requests.TryAdd(_lastRequest, request));
            return _lastRequest;
        }
    }

    private Request? Take(uint id)
    {
        lock (_lock)
        {
            return _requests.Remove(id, out Request? request) ? request : null;
        }
    }

    private async Task ReceiveAllAsync()
    {
        byte[] buffer = new byte[2 * (XenstoreHeader.Size + XenstoreHeader.MaximumPayload)];
        int filled = 0;
        try
        {
            while (true)
            {
                int received = await _transport.ReceiveAsync(buffer.AsMemory(filled), _stop.Token).ConfigureAwait(false);
                if (received == 0)
                {
                    throw new EndOfStreamException("the xenstore server has closed the connection");
                }
                filled += received;
                int used = HandleAll(buffer.AsSpan(0, filled));
                buffer.AsSpan(used, filled - used).CopyTo(buffer);
                filled -= used;
            }
        }
        catch (Exception e)
        {
            Lose(e);
        }
    }

    private int HandleAll(ReadOnlySpan<byte> data)
    {
        int used = 0;
        while (data.Length - used >= XenstoreHeader.Size)
        {
            XenstoreHeader header = XenstoreHeader.Read(data[used..]);
            if (header.Length > XenstoreHeader.MaximumPayload)
            {
                throw new InvalidDataException($"the xenstore server sent a message of {header.Length} bytes");
            }
            int end = used + XenstoreHeader.Size + (int)header.Length;
            if (data.Length < end)
            {
                break;
            }
            Handle(header, data[(used + XenstoreHeader.Size)..end]);
            used = end;
        }
        return used;
    }

    private void Handle(XenstoreHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Operation == XenstoreOperation.WatchEvent)
        {
            HandleEvent(payload);
            return;
        }
        Request? request = Take(header.RequestId);
        if (request is null)
        {
            return;
        }
        if (header.Operation == XenstoreOperation.Error)
        {
            request.SetException(new XenstoreException(request.Operation, request.Subject, XenstoreErrorNames.FromWire(payload)));
            // Nobody may be waiting any more.
            _ = request.Task.Exception;
        }
        else if (header.Operation == request.Operation)
        {
            request.SetResult(payload.ToArray());
        }
        else
        {
            throw new InvalidDataException($"the xenstore server answered {request.Operation} with {header.Operation}");
        }
    }

    private void HandleEvent(ReadOnlySpan<byte> payload)
    {
        int pathEnd = payload.IndexOf((byte)0);
        int tokenEnd = pathEnd < 0 ? -1 : payload[(pathEnd + 1)..].IndexOf((byte)0);
        if (tokenEnd < 0)
        {
            throw new InvalidDataException("the xenstore server sent an event that is not two strings");
        }
        string token = Encoding.ASCII.GetString(payload.Slice(pathEnd + 1, tokenEnd));
        XenstoreWatch? watch;
        lock (_lock)
        {
            _watches.TryGetValue(token, out watch);
        }
        watch?.Add(Encoding.ASCII.GetString(payload[..pathEnd]));
    }

    // Ends everything that waits for the server.
    private XenstoreConnectionException Lose(Exception cause)
    {
        Request[] requests;
        XenstoreWatch[] watches;
        lock (_lock)
        {
            _lost ??= cause;
            cause = _lost;
            requests = [.. _requests.Values];
            watches = [.. _watches.Values];
            _requests.Clear();
            _watches.Clear();
        }
        XenstoreConnectionException exception = new("the connection to xenstore is lost; connect again", cause);
        foreach (Request request in requests)
        {
            request.TrySetException(exception);
            _ = request.Task.Exception;
        }
        foreach (XenstoreWatch watch in watches)
        {
            watch.End(exception);
        }
        return exception;
    }
}
