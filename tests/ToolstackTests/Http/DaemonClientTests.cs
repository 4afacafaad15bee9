// The library's client against the daemon's HTTP interface.
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Xenod.Events;
using Xenod.Http;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;

namespace Xenolith.Toolstack.Tests.Http;

public sealed class DaemonClientTests : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("client").FullName;
    private readonly Guid _uuid = Guid.NewGuid();
    private readonly EventLog _events = new(TimeProvider.System);
    private readonly FakeDomains _domains;
    private readonly ApiOptions _options;
    private readonly WebApplication _server;
    private readonly DaemonClient _client;

    public DaemonClientTests()
    {
        _domains = new FakeDomains(_directory);
        _options = new ApiOptions(Path.Combine(_directory, "xenod.sock"));
        _server = ApiServer.Create(_options, _domains, new FakeMachine(), _events);
        _client = new DaemonClient(_options.SocketPath);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await ApiServer.StartAsync(_server, _options, Cancellation);

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        _domains.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task MakesListsChangesAndEndsDomains()
    {
        CreatedDomain created = await CreateAsync();
        Assert.True(created.IsNew);
        Assert.Contains("'vfb' has no effect", Assert.Single(created.Warnings));
        Assert.False((await CreateAsync()).IsNew);
        Assert.Equal(created.Domain, Assert.Single(await _client.ListAsync(Cancellation)));
        Assert.Equal(created.Domain, await _client.GetAsync("web", Cancellation));
        await _client.PauseAsync("web", Cancellation);
        await _client.UnpauseAsync("web", Cancellation);
        await _client.ShutdownAsync("web", Cancellation);
        await _client.RebootAsync("web", Cancellation);
        await _client.ChangeAsync("web", new DomainChange(Vcpus: 2), Cancellation);
        await _client.DestroyAsync("web", Cancellation);
        Assert.Equal(["pause web", "unpause web", "Poweroff web", "Reboot web", "DomainChange { Memory = , Vcpus = 2, Weight = , Cap =  } web", "destroy web"], _domains.Calls);
    }

    [Fact]
    public async Task TellsWhatTheDaemonRefuses()
    {
        DaemonException exception = await Assert.ThrowsAsync<DaemonException>(() => _client.PauseAsync("a b", Cancellation));
        Assert.Equal((HttpStatusCode.NotFound, "there is no domain 'a b'"), (exception.Status, exception.Message));
    }

    [Fact]
    public async Task TellsThatNoDaemonAnswers()
    {
        using DaemonClient client = new(Path.Combine(_directory, "other.sock"));
        DaemonException exception = await Assert.ThrowsAsync<DaemonException>(() => client.ListAsync(Cancellation));
        Assert.Null(exception.Status);
        Assert.Contains("start xenod", exception.Message);
    }

    [Fact]
    public async Task TellsThatAnotherProgramAnswers()
    {
        string path = Path.Combine(_directory, "other.sock");
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Task serving = Task.Run(async () =>
        {
            using Socket one = await listener.AcceptAsync(Cancellation);
            await one.ReceiveAsync(new byte[4096], Cancellation);
            await one.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"u8.ToArray(), Cancellation);
        }, Cancellation);
        using DaemonClient client = new(path);
        DaemonException failure = await Assert.ThrowsAsync<DaemonException>(() => client.ListAsync(Cancellation));
        Assert.Contains("of the same version", failure.Message, StringComparison.Ordinal);
        await serving;
    }

    [Fact]
    public async Task ReadsAndTypesAtAConsole()
    {
        await CreateAsync();
        FakeConsole console = _domains.ConsoleOf("web");
        console.Log.Append("booting "u8);
        using WebSocket socket = await _client.AttachAsync("web", isFromBoot: true, Cancellation);
        await socket.SendAsync("ls"u8.ToArray(), WebSocketMessageType.Binary, true, Cancellation);
        while (console.Log.End < 10)
        {
            await console.Log.WaitAsync(console.Log.End, Cancellation);
        }

        console.End();
        StringBuilder said = new();
        byte[] chunk = new byte[64];
        for (ValueWebSocketReceiveResult got = await socket.ReceiveAsync(chunk.AsMemory(), Cancellation); got.MessageType != WebSocketMessageType.Close; got = await socket.ReceiveAsync(chunk.AsMemory(), Cancellation))
        {
            said.Append(Encoding.ASCII.GetString(chunk, 0, got.Count));
        }

        Assert.Equal("booting ls", said.ToString());
        using StreamReader log = new(await _client.ReadConsoleAsync("web", Cancellation));
        Assert.Equal("booting ls", await log.ReadToEndAsync(Cancellation));
        await Assert.ThrowsAsync<DaemonException>(() => _client.AttachAsync("other", cancellation: Cancellation));
    }

    [Fact]
    public async Task ReadsEventsBehindOneThatItKnows()
    {
        _events.Add("domain.created", _uuid, "web");
        _events.Add("domain.ended", _uuid, "web", "poweroff");
        await using IAsyncEnumerator<(string Id, DomainEvent Event)> reader = _client.ReadEventsAsync("0-0", Cancellation).GetAsyncEnumerator(Cancellation);
        List<string> kinds = [];
        while (kinds.Count < 3 && await reader.MoveNextAsync())
        {
            kinds.Add(reader.Current.Event.Kind);
        }

        Assert.Equal([EventLog.MissedKind, "domain.created", "domain.ended"], kinds);
        Assert.Equal(("web", "poweroff"), (reader.Current.Event.Name, reader.Current.Event.Detail));
    }

    private Task<CreatedDomain> CreateAsync()
    {
        XlDocument document = XlDocument.Parse("name = 'web'\nkernel = 'vmlinuz'\nmemory = 64\nvfb = [ 'type=vnc' ]", "web.cfg");
        document.Set("kernel", "/boot/vmlinuz");
        document.Set("ramdisk", null);
        return _client.CreateAsync(_uuid, document.ToJson(), cancellation: Cancellation);
    }
}
