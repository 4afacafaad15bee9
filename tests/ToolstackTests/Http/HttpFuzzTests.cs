// What strangers send to the HTTP interface.
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Xenod.Events;
using Xenod.Http;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.Http;

/// <summary>Random requests, right and wrong ones, with pieces of real ones in them: each is answered or the connection is closed, and the next client is served.</summary>
public sealed class HttpFuzzTests : IAsyncLifetime
{
    private static readonly string[] s_methods = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW", "", "GET GET"];

    private static readonly string[] s_paths =
    [
        "/v1/domains", "/v1/domains/", "/v1/domains/web", "/v1/domains/web/pause", "/v1/domains/12345678-1234-1234-1234-123456789abc", "/v1/domains/%00", "/v1/domains/..%2f..", "/v1/domains/web/disks",
        "/v1/domains/web/disks/xvda?force=maybe", "/v1/domains/web/interfaces/0/rules", "/v1/domains/web/interfaces/-1", "/v1/domains/web/interfaces/99999999999", "/v1/domains/web/console",
        "/v1/domains/web/console/log", "/v1/domains/web/vcpus", "/v1/machine", "/metrics", "/v1/openapi.json", "/", "*", "//", "/v1/domains?paused=7", "http://[::", "/\uFFFD",
    ];

    private static readonly string[] s_bodies =
    [
        "", "{}", "[]", "null", "1e999", "{\"name\": \"web\", \"kernel\": \"k\"}", "{\"memory\": -1}", "{\"memory\": 99999999999999999999}", "{\"disk\": [{}]}", "{\"disk\": \"x,y,z\"}", "{\"rules\": [\"deny out\"]}",
        "{\"rules\": null}", "{\"interface\": null}", "{\"disk\": null}", "{\"name\": \"\\ud800\"}", new string('[', 5000), "{\"name\":", "\u0001\u0002",
    ];

    private readonly string _directory = Directory.CreateTempSubdirectory("fuzz").FullName;
    private readonly FakeDomains _domains;
    private readonly ApiOptions _options;
    private readonly WebApplication _server;

    public HttpFuzzTests()
    {
        _domains = new FakeDomains(_directory);
        _options = new ApiOptions(Path.Combine(_directory, "run", "xenod.sock"));
        _server = ApiServer.Create(_options, _domains, new FakeMachine(), new EventLog(TimeProvider.System));
    }

    public async ValueTask InitializeAsync() => await ApiServer.StartAsync(_server, _options, TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _domains.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    [Trait(Soak.Kind, Soak.Random)]
    public async Task EachRequestIsAnsweredOrClosedAndTheNextClientIsServed()
    {
        Dictionary<int, int> answers = [];
        for (int seed = Soak.FirstSeed; seed < Soak.FirstSeed + Soak.Count(400); seed++)
        {
            Random random = new(seed);
            int status = await SendAsync(MakeRequest(random));
            answers[status] = answers.GetValueOrDefault(status) + 1;
            Assert.True(status != 500, $"seed {seed} ends in a failure of the daemon's own");
        }

        Assert.Equal(200, await SendAsync(Encoding.ASCII.GetBytes("GET /v1/machine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), isWhole: true));
        Assert.True(answers.GetValueOrDefault(400) > 0 && answers.GetValueOrDefault(404) > 0, "wrong requests are refused");
    }

    private static byte[] MakeRequest(Random random)
    {
        string body = s_bodies[random.Next(s_bodies.Length)];
        byte[] content = Encoding.UTF8.GetBytes(body);
        int claimed = random.Next(8) == 0 ? random.Next(-2, 20) : content.Length;
        StringBuilder head = new();
        head.Append(s_methods[random.Next(s_methods.Length)]).Append(' ').Append(s_paths[random.Next(s_paths.Length)]).Append(random.Next(20) == 0 ? " HTTP/9.9" : " HTTP/1.1").Append("\r\nHost: x\r\nConnection: close\r\n");
        if (random.Next(10) != 0)
        {
            head.Append("Content-Type: ").Append(random.Next(5) == 0 ? "text/plain" : "application/json").Append("\r\n");
        }

        if (random.Next(8) == 0)
        {
            head.Append("Transfer-Encoding: chunked\r\n");
        }
        else
        {
            head.Append(System.Globalization.CultureInfo.InvariantCulture, $"Content-Length: {claimed}\r\n");
        }

        if (random.Next(6) == 0)
        {
            head.Append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n");
        }

        byte[] request = [.. Encoding.UTF8.GetBytes(head.ToString()), (byte)'\r', (byte)'\n', .. content];
        for (int change = random.Next(4) == 0 ? random.Next(1, 20) : 0; change > 0; change--)
        {
            request[random.Next(request.Length)] = (byte)random.Next(256);
        }

        return request;
    }

    /// <summary>Sends bytes and no more; gives the answer's status, 0 for none.</summary>
    private async Task<int> SendAsync(byte[] request, bool isWhole = false)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_options.SocketPath), TestContext.Current.CancellationToken);
        await using NetworkStream stream = new(socket);
        try
        {
            await stream.WriteAsync(request, TestContext.Current.CancellationToken);
            using MemoryStream answer = new();
            Task reading = stream.CopyToAsync(answer, TestContext.Current.CancellationToken);

            // A request that promises more than it has is waited for; its end is told when nothing has come.
            if (isWhole || await Task.WhenAny(reading, Task.Delay(50, TestContext.Current.CancellationToken)) == reading)
            {
                await reading;
            }
            else
            {
                socket.Shutdown(SocketShutdown.Send);
                await reading;
            }

            string text = Encoding.ASCII.GetString(answer.GetBuffer(), 0, (int)answer.Length);
            return text.Length == 0 ? 0 : int.Parse(text.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
