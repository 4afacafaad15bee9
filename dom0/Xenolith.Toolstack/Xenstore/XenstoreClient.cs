// The client of xenstore.

using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Xenolith.Toolstack.Xenstore;

/// <summary>
/// A connection to the xenstore server.
/// <example>
/// <code>
/// await using IXenstore store = await XenstoreClient.ConnectAsync();
/// await store.TransactAsync(async (nodes, cancellation) =>
/// {
///     await nodes.WriteAsync("/tool/example/count", "1", cancellation);
/// });
/// await using IXenstoreWatch watch = await store.WatchAsync("/tool/example");
/// await foreach (string changed in watch)
/// {
///     Console.WriteLine(changed);
/// }
/// </code>
/// </example>
/// </summary>
public sealed class XenstoreClient : IXenstore
{
    /// <summary>Where servers listen unless the variable <c>XENSTORED_PATH</c> says otherwise.</summary>
    public const string DefaultSocket = "/run/xenstored/socket";

    /// <summary>The kernel's connection, for when there is no socket.</summary>
    public const string DefaultDevice = "/dev/xen/xenbus";

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);
    private readonly XenstoreConnection _connection;
    private readonly XenstoreNodes _nodes;

    private XenstoreClient(IXenstoreTransport transport)
    {
        _connection = new XenstoreConnection(transport);
        _nodes = new XenstoreNodes(_connection, 0);
    }

    /// <summary>Connects to the socket of <c>XENSTORED_PATH</c>, or to the usual one, or through the kernel when there is none.</summary>
    /// <exception cref="XenstoreConnectionException">There is no server.</exception>
    public static async Task<XenstoreClient> ConnectAsync(CancellationToken cancellation = default)
    {
        string? named = Environment.GetEnvironmentVariable("XENSTORED_PATH");
        if (!string.IsNullOrEmpty(named))
        {
            return await ConnectSocketAsync(named, cancellation).ConfigureAwait(false);
        }
        return File.Exists(DefaultSocket) || !File.Exists(DefaultDevice)
            ? await ConnectSocketAsync(DefaultSocket, cancellation).ConfigureAwait(false)
            : OpenDevice(DefaultDevice);
    }

    /// <summary>Connects to a server's Unix socket.</summary>
    /// <exception cref="XenstoreConnectionException">Nobody listens there.</exception>
    public static async Task<XenstoreClient> ConnectSocketAsync(string path, CancellationToken cancellation = default)
    {
        try
        {
            return new XenstoreClient(await SocketTransport.ConnectAsync(path, cancellation).ConfigureAwait(false));
        }
        catch (SocketException e)
        {
            throw new XenstoreConnectionException($"no xenstore server answers at {path}: start xenod, or set XENSTORED_PATH", e);
        }
    }

    /// <summary>Connects through the kernel's device.</summary>
    /// <exception cref="XenstoreConnectionException">The device does not open.</exception>
    public static XenstoreClient OpenDevice(string path) => new(DeviceTransport.Open(path));

    internal static XenstoreClient Over(IXenstoreTransport transport) => new(transport);

    /// <inheritdoc/>
    public Task<byte[]> ReadAsync(string path, CancellationToken cancellation = default) => _nodes.ReadAsync(path, cancellation);

    /// <inheritdoc/>
    public Task WriteAsync(string path, ReadOnlyMemory<byte> value, CancellationToken cancellation = default) => _nodes.WriteAsync(path, value, cancellation);

    /// <inheritdoc/>
    public Task MakeDirectoryAsync(string path, CancellationToken cancellation = default) => _nodes.MakeDirectoryAsync(path, cancellation);

    /// <inheritdoc/>
    public Task RemoveAsync(string path, CancellationToken cancellation = default) => _nodes.RemoveAsync(path, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListAsync(string path, CancellationToken cancellation = default) => _nodes.ListAsync(path, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<XenstorePermission>> GetPermissionsAsync(string path, CancellationToken cancellation = default) => _nodes.GetPermissionsAsync(path, cancellation);

    /// <inheritdoc/>
    public Task SetPermissionsAsync(string path, IReadOnlyList<XenstorePermission> permissions, CancellationToken cancellation = default) =>
        _nodes.SetPermissionsAsync(path, permissions, cancellation);

    /// <inheritdoc/>
    public async Task<IXenstoreTransaction> BeginTransactionAsync(CancellationToken cancellation = default)
    {
        Task<byte[]> reply = await _connection.SendAsync(XenstoreOperation.TransactionStart, 0, "transaction", "\0"u8.ToArray(), cancellation).ConfigureAwait(false);
        try
        {
            return Transaction(await reply.WaitAsync(cancellation).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // The server still starts the transaction that nobody waits for.
            _ = reply.ContinueWith(started => Transaction(started.Result).DisposeAsync().AsTask(), TaskContinuationOptions.OnlyOnRanToCompletion);
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<T> TransactAsync<T>(Func<IXenstoreNodes, CancellationToken, Task<T>> body, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        for (int attempt = 0; ; attempt++)
        {
            IXenstoreTransaction transaction = await BeginTransactionAsync(cancellation).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                try
                {
                    T result = await body(transaction, cancellation).ConfigureAwait(false);
                    if (await transaction.CommitAsync(cancellation).ConfigureAwait(false))
                    {
                        return result;
                    }
                }
                catch (XenstoreException e) when (e.Error == XenstoreError.EAGAIN)
                {
                }
            }
            if (attempt > 2)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.NextDouble() * Math.Min(LongestPause.TotalMilliseconds, attempt)), cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc/>
    public Task TransactAsync(Func<IXenstoreNodes, CancellationToken, Task> body, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        return TransactAsync(
            async (nodes, token) =>
            {
                await body(nodes, token).ConfigureAwait(false);
                return true;
            },
            cancellation);
    }

    /// <inheritdoc/>
    public async Task<IXenstoreWatch> WatchAsync(string path, CancellationToken cancellation = default)
    {
        XenstoreNodes.Checked(XenstoreOperation.Watch, path);
        return await _connection.WatchAsync(path, cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task ResetWatchesAsync(CancellationToken cancellation = default)
    {
        await AskAsync(XenstoreOperation.ResetWatches, [""], cancellation).ConfigureAwait(false);
        _connection.ForgetWatches();
    }

    /// <inheritdoc/>
    public Task<string> GetDomainPathAsync(uint domain, CancellationToken cancellation = default) =>
        AskAsync(XenstoreOperation.GetDomainPath, [Number(domain)], cancellation);

    /// <inheritdoc/>
    public Task IntroduceAsync(uint domain, ulong frame, uint port, CancellationToken cancellation = default) =>
        AskAsync(XenstoreOperation.Introduce, [Number(domain), Number(frame), Number(port)], cancellation);

    /// <inheritdoc/>
    public Task ReleaseAsync(uint domain, CancellationToken cancellation = default) => AskAsync(XenstoreOperation.Release, [Number(domain)], cancellation);

    /// <inheritdoc/>
    public Task ResumeAsync(uint domain, CancellationToken cancellation = default) => AskAsync(XenstoreOperation.Resume, [Number(domain)], cancellation);

    /// <inheritdoc/>
    public Task SetTargetAsync(uint domain, uint target, CancellationToken cancellation = default) =>
        AskAsync(XenstoreOperation.SetTarget, [Number(domain), Number(target)], cancellation);

    /// <inheritdoc/>
    public async Task<bool> IsIntroducedAsync(uint domain, CancellationToken cancellation = default) =>
        await AskAsync(XenstoreOperation.IsDomainIntroduced, [Number(domain)], cancellation).ConfigureAwait(false) == "T";

    /// <inheritdoc/>
    public Task<string> ControlAsync(IReadOnlyList<string> arguments, CancellationToken cancellation = default) => AskAsync(XenstoreOperation.Control, arguments, cancellation);

    /// <summary>Closes the connection: what waits for the server ends with <see cref="XenstoreConnectionException"/>.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    private XenstoreTransaction Transaction(ReadOnlySpan<byte> reply) =>
        uint.TryParse(Text(reply), NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id != 0
            ? new XenstoreTransaction(_connection, id)
            : throw new XenstoreConnectionException("the xenstore server gave a transaction a number that is none");

    private static string Text(ReadOnlySpan<byte> reply) => Encoding.UTF8.GetString(reply.TrimEnd((byte)0));

    private async Task<string> AskAsync(XenstoreOperation operation, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        byte[] payload = Encoding.UTF8.GetBytes(string.Concat(arguments.Select(argument => argument + "\0")));
        return Text(await _connection.AskAsync(operation, 0, string.Join(' ', arguments), payload, cancellation).ConfigureAwait(false));
    }
}
