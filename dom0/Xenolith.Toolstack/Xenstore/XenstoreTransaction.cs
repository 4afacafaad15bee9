// A client's transaction.

namespace Xenolith.Toolstack.Xenstore;

internal sealed class XenstoreTransaction(XenstoreConnection connection, uint id) : IXenstoreTransaction
{
    private readonly XenstoreNodes _nodes = new(connection, id);
    private bool _ended;

    public Task<byte[]> ReadAsync(string path, CancellationToken cancellation) => Nodes.ReadAsync(path, cancellation);

    public Task WriteAsync(string path, ReadOnlyMemory<byte> value, CancellationToken cancellation) => Nodes.WriteAsync(path, value, cancellation);

    public Task MakeDirectoryAsync(string path, CancellationToken cancellation) => Nodes.MakeDirectoryAsync(path, cancellation);

    public Task RemoveAsync(string path, CancellationToken cancellation) => Nodes.RemoveAsync(path, cancellation);

    public Task<IReadOnlyList<string>> ListAsync(string path, CancellationToken cancellation) => Nodes.ListAsync(path, cancellation);

    public Task<IReadOnlyList<XenstorePermission>> GetPermissionsAsync(string path, CancellationToken cancellation) => Nodes.GetPermissionsAsync(path, cancellation);

    public Task SetPermissionsAsync(string path, IReadOnlyList<XenstorePermission> permissions, CancellationToken cancellation) =>
        Nodes.SetPermissionsAsync(path, permissions, cancellation);

    public async Task<bool> CommitAsync(CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        _ended = true;
        try
        {
            await connection.AskAsync(XenstoreOperation.TransactionEnd, id, "transaction", "T\0"u8.ToArray(), cancellation).ConfigureAwait(false);
            return true;
        }
        catch (XenstoreException e) when (e.Error == XenstoreError.EAGAIN)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_ended)
        {
            return;
        }
        _ended = true;
        try
        {
            await connection.AskAsync(XenstoreOperation.TransactionEnd, id, "transaction", "F\0"u8.ToArray(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is XenstoreException or XenstoreConnectionException or ObjectDisposedException)
        {
            // Gone with its connection, or with a reset.
        }
    }

    private XenstoreNodes Nodes
    {
        get
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            return _nodes;
        }
    }
}
