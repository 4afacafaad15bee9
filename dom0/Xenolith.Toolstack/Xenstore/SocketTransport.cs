// Messages over the server's Unix socket.

using System.Net.Sockets;

namespace Xenolith.Toolstack.Xenstore;

internal sealed class SocketTransport(Socket socket) : IXenstoreTransport
{
    public static async Task<SocketTransport> ConnectAsync(string path, CancellationToken cancellation)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            return new SocketTransport(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        while (!message.IsEmpty)
        {
            int sent = await socket.SendAsync(message, SocketFlags.None, cancellation).ConfigureAwait(false);
            message = message[sent..];
        }
    }

    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation) => socket.ReceiveAsync(buffer, SocketFlags.None, cancellation);

    public ValueTask DisposeAsync()
    {
        socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
