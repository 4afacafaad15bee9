// How messages travel to the server.

namespace Xenolith.Toolstack.Xenstore;

/// <summary>A stream of bytes to and from the server. One sender and one receiver at a time.</summary>
internal interface IXenstoreTransport : IAsyncDisposable
{
    /// <summary>Sends a whole message.</summary>
    /// <exception cref="XenstoreRefusal">The transport itself refused this message; others may still pass.</exception>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation);

    /// <summary>Receives at least one byte; 0 at the end of the stream.</summary>
    ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation);
}

/// <summary>A message that was not sent, and why.</summary>
internal sealed class XenstoreRefusal(XenstoreError error) : Exception
{
    public XenstoreError Error { get; } = error;
}
