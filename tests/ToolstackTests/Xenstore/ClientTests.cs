// The client against the server, over a socket.

using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

public class ClientTests : IAsyncLifetime
{
    private readonly RunningServer _server = new();
    private XenstoreClient _client = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _client = await XenstoreClient.ConnectSocketAsync(_server.Socket, Cancellation);

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        _server.Dispose();
    }

    [Fact]
    public async Task NodesCanBeWrittenReadListedAndRemoved()
    {
        await _client.WriteAsync("/t/a", "text", Cancellation);
        await _client.WriteAsync("/t/b", (byte[])[0, 255, 1], Cancellation);
        await _client.WriteAsync("/t/c", 17, Cancellation);
        await _client.MakeDirectoryAsync("/t/d", Cancellation);
        Assert.Equal("text", await _client.ReadTextAsync("/t/a", Cancellation));
        Assert.Equal([0, 255, 1], await _client.ReadAsync("/t/b", Cancellation));
        Assert.Equal("17", await _client.TryReadTextAsync("/t/c", Cancellation));
        Assert.Equal(["a", "b", "c", "d"], await _client.ListAsync("/t", Cancellation));
        await _client.RemoveAsync("/t", Cancellation);
        Assert.Null(await _client.TryReadAsync("/t/a", Cancellation));
        Assert.Null(await _client.TryListAsync("/t", Cancellation));
        Assert.False(await _client.ExistsAsync("/t", Cancellation));
    }

    [Fact]
    public async Task PermissionsTravelBothWays()
    {
        await _client.WriteAsync("/t", "", Cancellation);
        await _client.SetPermissionsAsync("/t", [XenstorePermission.Owner(3), XenstorePermission.Reader(4)], Cancellation);
        Assert.Equal([XenstorePermission.Owner(3), XenstorePermission.Reader(4)], await _client.GetPermissionsAsync("/t", Cancellation));
    }

    [Fact]
    public async Task LongDirectoriesComeInParts()
    {
        string[] names = [.. Enumerable.Range(0, 2000).Select(i => $"n{i:d5}")];
        await _client.TransactAsync(
            async (nodes, token) =>
            {
                foreach (string name in names)
                {
                    await nodes.WriteAsync("/long/" + name, "", token);
                }
                Assert.Equal(names, await nodes.ListAsync("/long", token));
            },
            Cancellation);
        Assert.Equal(names, await _client.ListAsync("/long", Cancellation));
    }

    [Fact]
    public async Task AListThatChangesWhileItIsReadIsReadAgain()
    {
        for (int i = 0; i < 1000; i++)
        {
            await _client.WriteAsync($"/long/n{i:d5}", "", Cancellation);
        }
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        await using XenstoreClient other = await XenstoreClient.ConnectSocketAsync(_server.Socket, Cancellation);
        Task changing = Task.Run(
            async () =>
            {
                for (int i = 0; !stop.IsCancellationRequested; i++)
                {
                    await other.WriteAsync($"/long/a{i % 10}", "", Cancellation);
                    await other.RemoveAsync($"/long/a{i % 10}", Cancellation);
                    await Task.Delay(1, Cancellation);
                }
            },
            Cancellation);
        for (int i = 0; i < 10; i++)
        {
            IReadOnlyList<string> names = await _client.ListAsync("/long", Cancellation);
            Assert.Equal(1000, names.Count(name => name[0] == 'n'));
            Assert.Equal(names.Distinct(), names);
        }
        await stop.CancelAsync();
        await changing;
    }

    [Fact]
    public async Task RefusalsSayWhatWasRefusedAndWhy()
    {
        XenstoreException e = await Assert.ThrowsAsync<XenstoreException>(() => _client.ReadAsync("/nothing", Cancellation));
        Assert.Equal((XenstoreOperation.Read, "/nothing", XenstoreError.ENOENT), (e.Operation, e.Subject, e.Error));
        Assert.Contains("/nothing", e.Message, StringComparison.Ordinal);
        e = await Assert.ThrowsAsync<XenstoreException>(() => _client.ReadAsync("not a path", Cancellation));
        Assert.Equal(XenstoreError.EINVAL, e.Error);
        e = await Assert.ThrowsAsync<XenstoreException>(() => _client.WriteAsync("/big", new byte[5000], Cancellation));
        Assert.Equal(XenstoreError.E2BIG, e.Error);
        e = await Assert.ThrowsAsync<XenstoreException>(() => _client.IntroduceAsync(5, 1, 1, Cancellation));
        Assert.Equal((XenstoreError.EIO, "5 1 1"), (e.Error, e.Subject));
    }

    [Fact]
    public async Task TransactionsThatConflictRunAgain()
    {
        await _client.WriteAsync("/counter", 0, Cancellation);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            await using XenstoreClient client = await XenstoreClient.ConnectSocketAsync(_server.Socket, Cancellation);
            for (int i = 0; i < 20; i++)
            {
                await client.TransactAsync(
                    async (nodes, token) => await nodes.WriteAsync("/counter", int.Parse(await nodes.ReadTextAsync("/counter", token)) + 1, token),
                    Cancellation);
            }
        }));
        Assert.Equal("160", await _client.ReadTextAsync("/counter", Cancellation));
    }

    [Fact]
    public async Task ATransactionThatFailsChangesNothing()
    {
        await Assert.ThrowsAsync<NotSupportedException>(() => _client.TransactAsync(
            async (nodes, token) =>
            {
                await nodes.WriteAsync("/half", "1", token);
                throw new NotSupportedException();
            },
            Cancellation));
        Assert.False(await _client.ExistsAsync("/half", Cancellation));
    }

    [Fact]
    public async Task WatchesAreStreams()
    {
        await using IXenstoreWatch watch = await _client.WatchAsync("/w", Cancellation);
        Assert.Equal("/w", await watch.NextAsync(Cancellation));
        await _client.WriteAsync("/w/a", "", Cancellation);
        await foreach (string changed in watch.WithCancellation(Cancellation))
        {
            Assert.Equal("/w/a", changed);
            break;
        }
        await using IXenstoreWatch relative = await _client.WatchAsync("device", Cancellation);
        Assert.Equal("device", await relative.NextAsync(Cancellation));
        await _client.WriteAsync("/local/domain/0/device/x", "", Cancellation);
        Assert.Equal("device/x", await relative.NextAsync(Cancellation));
        await watch.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await watch.NextAsync(Cancellation));
    }

    [Fact]
    public async Task SpecialNamesCanBeWatched()
    {
        await using IXenstoreWatch watch = await _client.WatchAsync(XenstorePath.ReleaseDomain, Cancellation);
        Assert.Equal("@releaseDomain", await watch.NextAsync(Cancellation));
    }

    [Fact]
    public async Task WaitingCanBeCancelledWithoutHarm()
    {
        using CancellationTokenSource stop = new();
        await using IXenstoreWatch watch = await _client.WatchAsync("/w", Cancellation);
        await watch.NextAsync(Cancellation);
        ValueTask<string> waiting = watch.NextAsync(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await waiting);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.ReadAsync("/", stop.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _client.BeginTransactionAsync(stop.Token));
        Assert.Equal("", await _client.ReadTextAsync("/", Cancellation));
    }

    [Fact]
    public async Task ManyRequestsMayBeUnderWayAtOnce()
    {
        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => _client.WriteAsync($"/many/{i}", i, Cancellation)));
        string[] values = await Task.WhenAll(Enumerable.Range(0, 500).Select(i => _client.ReadTextAsync($"/many/{i}", Cancellation)));
        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), values);
    }

    [Fact]
    public async Task TheServersEndEndsEverythingThatWaits()
    {
        IXenstoreWatch watch = await _client.WatchAsync("/w", Cancellation);
        await watch.NextAsync(Cancellation);
        ValueTask<string> waiting = watch.NextAsync(Cancellation);
        _server.Dispose();
        await Assert.ThrowsAsync<XenstoreConnectionException>(async () => await waiting);
        await Assert.ThrowsAsync<XenstoreConnectionException>(() => _client.ReadAsync("/", Cancellation));
        await watch.DisposeAsync();
    }

    [Fact]
    public async Task NobodyAtTheSocketIsSaidSo()
    {
        XenstoreConnectionException e = await Assert.ThrowsAsync<XenstoreConnectionException>(() => XenstoreClient.ConnectSocketAsync("/nonexistent/socket", Cancellation));
        Assert.Contains("/nonexistent/socket", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Domain0MayAskForTheRest()
    {
        Assert.Equal("/local/domain/7", await _client.GetDomainPathAsync(7, Cancellation));
        Assert.False(await _client.IsIntroducedAsync(7, Cancellation));
        Assert.Equal("OK", await _client.ControlAsync(["check"], Cancellation));
        await _client.ResetWatchesAsync(Cancellation);
        Assert.Equal(XenstoreError.ENOENT, (await Assert.ThrowsAsync<XenstoreException>(() => _client.ReleaseAsync(7, Cancellation))).Error);
    }

    [Fact]
    public async Task AMessageThatIsTooLongEndsItsConnectionOnly()
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_server.Socket), Cancellation);
        byte[] header = new byte[XenstoreHeader.Size];
        new XenstoreHeader(XenstoreOperation.Read, 1, 0, 4097).Write(header);
        await socket.SendAsync(header, Cancellation);
        Assert.Equal(0, await socket.ReceiveAsync(new byte[1], Cancellation));
        Assert.True(await _client.ExistsAsync("/", Cancellation));
    }

    // Sends and never reads: the server holds a bounded part and goes on with others.
    [Fact]
    public async Task AClientThatDoesNotReadStopsOnlyItself()
    {
        await _client.WriteAsync("/big", new byte[4000], Cancellation);
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_server.Socket), Cancellation);
        socket.Blocking = false;
        byte[] request = XenstoreHeader.Format(XenstoreOperation.Read, 1, 0, "/big\0"u8);
        int sent = 0;
        for (int refused = 0; refused < 3; refused++)
        {
            while (socket.Send(request, SocketFlags.None, out SocketError error) == request.Length && error == SocketError.Success)
            {
                sent++;
                refused = 0;
            }
            await _client.ReadAsync("/big", Cancellation);
        }
        Assert.InRange(sent, 100, 200_000);
        socket.Blocking = true;
        long expected = sent * (4000L + XenstoreHeader.Size);
        byte[] buffer = new byte[1 << 16];
        while (expected > 0)
        {
            int received = await socket.ReceiveAsync(buffer, Cancellation);
            Assert.True(received > 0);
            expected -= received;
        }
    }

    // A kernel's device is read and written as a socket is.
    [Fact]
    public async Task TheDeviceIsWaitedForByAThreadThatCanBeStopped()
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_server.Socket), Cancellation);
        await using XenstoreClient client = XenstoreClient.Over(new DeviceTransport(new SafeFileHandle(socket.Handle, ownsHandle: false)));
        await client.WriteAsync("/device", "1", Cancellation);
        Assert.Equal("1", Encoding.ASCII.GetString(await client.ReadAsync("/device", Cancellation)));
        await using IXenstoreWatch watch = await client.WatchAsync("/device", Cancellation);
        Assert.Equal("/device", await watch.NextAsync(Cancellation));
    }
}
