// The daemon's HTTP interface, asked over its sockets.
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Xenod.Events;
using Xenod.Http;

namespace Xenolith.Toolstack.Tests.Http;

public sealed class ApiServerTests : IAsyncLifetime
{
    private const string Domain = """{"name": "web", "kernel": "/boot/vmlinuz", "memory": 64, "disk": ["/srv/web.img,raw,xvda,w"], "vif": [""]}""";

    private readonly string _directory = Directory.CreateTempSubdirectory("api").FullName;
    private readonly Guid _uuid = Guid.NewGuid();
    private readonly EventLog _events = new(TimeProvider.System);
    private readonly FakeDomains _domains;
    private readonly ApiOptions _options;
    private readonly WebApplication _server;
    private readonly SocketsHttpHandler _handler;
    private readonly HttpClient _client;

    public ApiServerTests()
    {
        _domains = new FakeDomains(_directory);
        _options = new ApiOptions(Path.Combine(_directory, "run", "xenod.sock"), new IPEndPoint(IPAddress.Loopback, 0), "secret");
        _server = ApiServer.Create(_options, _domains, new FakeMachine(), _events);
        _handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(_options.SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        _client = new HttpClient(_handler) { BaseAddress = new Uri("http://xenod") };
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
    public async Task ADomainIsMadeOnceHoweverOftenItIsAskedFor()
    {
        using HttpResponseMessage first = await PutAsync(_uuid, Domain);
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.Equal($"/v1/domains/{_uuid}", first.Headers.Location!.ToString());
        using HttpResponseMessage second = await PutAsync(_uuid, Domain);
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        JsonElement list = await _client.GetFromJsonAsync<JsonElement>("/v1/domains", Cancellation);
        JsonElement domain = Assert.Single(list.GetProperty("domains").EnumerateArray());
        Assert.Equal("web", domain.GetProperty("name").GetString());
        Assert.Equal(65536, domain.GetProperty("memoryKiB").GetInt64());
        Assert.Equal("Running", domain.GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("""{"name": "web"}""", HttpStatusCode.BadRequest, "nothing to boot")]
    [InlineData("""{"name": "web", "kernel": {}}""", HttpStatusCode.BadRequest, "'kernel' is a text, a whole number, or a list")]
    [InlineData("""{"name": "web", "kernel": "k", "memory": 1.5}""", HttpStatusCode.BadRequest, "'memory' is a text, a whole number")]
    [InlineData("[]", HttpStatusCode.BadRequest, "is a JSON object with the keys of an xl.cfg file")]
    [InlineData("{", HttpStatusCode.BadRequest, "")]
    [InlineData("", HttpStatusCode.BadRequest, "")]
    [InlineData("""{"name": "web", "kernel": "k", "memory": 4096}""", HttpStatusCode.InsufficientStorage, "not so much memory")]
    public async Task WhatCannotBeIsRefusedWithAReason(string body, HttpStatusCode status, string detail)
    {
        using HttpResponseMessage answer = await PutAsync(_uuid, body);
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        JsonElement problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        Assert.Contains(detail, problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task DomainsAreNamedByUuidNameOrNumber()
    {
        (await PutAsync(_uuid, Domain)).Dispose();
        foreach (string name in (string[])["web", "1", _uuid.ToString("D")])
        {
            JsonElement domain = await _client.GetFromJsonAsync<JsonElement>($"/v1/domains/{name}", Cancellation);
            Assert.Equal(_uuid, domain.GetProperty("uuid").GetGuid());
        }

        using HttpResponseMessage missing = await _client.GetAsync("/v1/domains/other", Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task EachVerbReachesItsDomain()
    {
        (await PutAsync(_uuid, Domain)).Dispose();
        foreach (string verb in (string[])["pause", "unpause", "shutdown", "reboot"])
        {
            using HttpResponseMessage answer = await _client.PostAsync($"/v1/domains/web/{verb}", null, Cancellation);
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        }

        using StringContent change = Json("""{"memory": 128, "cap": 50}""");
        (await _client.PatchAsync("/v1/domains/web", change, Cancellation)).Dispose();
        (await _client.DeleteAsync("/v1/domains/1", Cancellation)).Dispose();
        Assert.Equal(["pause web", "unpause web", "Poweroff web", "Reboot web", "DomainChange { Memory = 128, Vcpus = , Weight = , Cap = 50 } web", "destroy web"], _domains.Calls);
    }

    [Fact]
    public async Task ANetworkIsAnsweredOnlyWithTheToken()
    {
        string address = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single(one => one.Contains("127.0.0.1"));
        using HttpClient client = new() { BaseAddress = new Uri(address) };
        foreach ((string? token, HttpStatusCode expected) in ((string?, HttpStatusCode)[])[(null, HttpStatusCode.Unauthorized), ("wrong", HttpStatusCode.Unauthorized), ("secret", HttpStatusCode.OK)])
        {
            client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
            using HttpResponseMessage answer = await client.GetAsync("/v1/domains", Cancellation);
            Assert.Equal(expected, answer.StatusCode);
        }
    }

    [Fact]
    public void TheSocketIsRootsAlone() => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_options.SocketPath));

    [Fact]
    public void ATcpAddressWithoutATokenIsRefused()
        => Assert.Throws<ArgumentException>(() => ApiServer.Create(_options with { Token = null }, _domains, new FakeMachine(), _events));

    /// <summary>Settings from outside could open the interface to the network without a token.</summary>
    [Fact]
    public void NeitherTheEnvironmentNorFilesTellTheServerAnything()
    {
        Assert.Null(_server.Configuration["PATH"]);
        Assert.DoesNotContain(((IConfigurationRoot)_server.Configuration).Providers, provider => provider is FileConfigurationProvider);
    }

    [Fact]
    public async Task AReaderOfEventsGoesOnWhereItStopped()
    {
        _events.Add("domain.created", _uuid, "web");
        // The headers come with the first event: it has to happen when the reader is there.
        Task<string> reading = ReadEventAsync(null, _ => true);
        for (int round = 0; round < 1000 && !reading.IsCompleted; round++)
        {
            await Task.Delay(5, Cancellation);
            _events.Add("domain.started", _uuid, "web");
        }

        string first = await reading;
        Assert.Contains("event: domain.started", first);
        _events.Add("domain.ended", _uuid, "web", "poweroff");
        string id = first.Split('\n').Single(line => line.StartsWith("id: ", StringComparison.Ordinal))[4..];
        string ended = await ReadEventAsync(id, text => !text.Contains("event: domain.started"));
        Assert.Contains("event: domain.ended", ended);
        Assert.Contains("poweroff", ended);
        Assert.Contains("event: " + EventLog.MissedKind, await ReadEventAsync("0-17", _ => true));
    }

    [Fact]
    public async Task AConsoleIsReadFromItsFirstByteAndTypedAt()
    {
        (await PutAsync(_uuid, Domain)).Dispose();
        FakeConsole console = _domains.ConsoleOf("web");
        console.Log.Append("booting\n"u8);
        using ClientWebSocket socket = new();
        await socket.ConnectAsync(new Uri("ws://xenod/v1/domains/web/console?fromBoot=true"), new HttpMessageInvoker(_handler, disposeHandler: false), Cancellation);
        Assert.Equal("booting\n", await ReceiveAsync(socket, 8));
        await socket.SendAsync("ls\n"u8.ToArray(), WebSocketMessageType.Binary, true, Cancellation);
        Assert.Equal("ls\n", await ReceiveAsync(socket, 3));
        console.Log.Append("bye"u8);
        console.End();
        Assert.Equal("bye", await ReceiveAsync(socket, 3));
        Assert.Equal(WebSocketMessageType.Close, (await socket.ReceiveAsync(new byte[8].AsMemory(), Cancellation)).MessageType);
        Assert.Equal("booting\nls\nbye", await _client.GetStringAsync("/v1/domains/web/console/log", Cancellation));
    }

    [Fact]
    public async Task ConsolesAreAttachedToOverWebSocketsOnly()
    {
        (await PutAsync(_uuid, Domain)).Dispose();
        using HttpResponseMessage answer = await _client.GetAsync("/v1/domains/web/console", Cancellation);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task TheMachineTellsWhatItHas()
    {
        JsonElement machine = await _client.GetFromJsonAsync<JsonElement>("/v1/machine", Cancellation);
        Assert.Equal(524_288, machine.GetProperty("freeKiB").GetInt64());
        Assert.False(machine.GetProperty("hasHardwareVirtualization").GetBoolean());
        Assert.Equal("/boot/initrd.img-6", machine.GetProperty("kernels")[0].GetProperty("ramDisk").GetString());
        Assert.Equal("[boot] hello\n", await _client.GetStringAsync("/v1/machine/log", Cancellation));
    }

    [Fact]
    public async Task PrometheusReadsFiguresOfEachDomain()
    {
        (await PutAsync(_uuid, Domain)).Dispose();
        using HttpResponseMessage answer = await _client.GetAsync("/metrics", Cancellation);
        Assert.Equal("0.0.4", answer.Content.Headers.ContentType!.Parameters.Single(one => one.Name == "version").Value);
        string[] lines = (await answer.Content.ReadAsStringAsync(Cancellation)).Split('\n');
        Assert.Contains("xenolith_memory_free_bytes 536870912", lines);
        Assert.Contains("# TYPE xenolith_domain_cpu_seconds_total counter", lines);
        Assert.Contains("xenolith_domain_state{domain=\"web\",id=\"1\",state=\"running\"} 1", lines);
        Assert.Contains("xenolith_vcpu_cpu_seconds_total{domain=\"web\",id=\"1\",vcpu=\"0\"} 2.5", lines);
        Assert.Contains("xenolith_vcpu_steal_seconds_total{domain=\"web\",id=\"1\",vcpu=\"0\"} 0.5", lines);
        Assert.Contains("xenolith_vcpu_page_faults_total{domain=\"web\",id=\"1\",vcpu=\"0\"} 34", lines);
        Assert.Contains("xenolith_console_ring_bytes{domain=\"web\",id=\"1\",direction=\"to\"} 9", lines);
        Assert.Contains("xenolith_interface_ring_requests{domain=\"web\",id=\"1\",interface=\"0\",queue=\"0\",direction=\"from\"} 3", lines);
        Assert.Contains("xenolith_disk_written_bytes_total{domain=\"web\",id=\"1\",device=\"51712\"} 20480", lines);
        Assert.Contains("xenolith_interface_sent_packets_total{domain=\"web\",id=\"1\",interface=\"0\"} 20", lines);
    }

    [Fact]
    public async Task TheDescriptionHasEachOfTheServersOperationsAndNoOthers()
    {
        JsonElement description = await _client.GetFromJsonAsync<JsonElement>("/v1/openapi.json", Cancellation);
        IEnumerable<string> described = description.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => $"{operation.Name.ToUpperInvariant()} {path.Name.TrimEnd('/')}"));
        IEnumerable<string> served = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => !endpoint.RoutePattern.RawText!.EndsWith("openapi.json", StringComparison.Ordinal))
            .SelectMany(endpoint => endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(method => $"{method} {endpoint.RoutePattern.RawText!.Replace(":guid", "").TrimEnd('/')}"));
        Assert.Equal(served.Order(), described.Order());
        foreach (JsonProperty path in description.GetProperty("paths").EnumerateObject())
        {
            foreach (JsonProperty operation in path.Value.EnumerateObject())
            {
                Assert.False(string.IsNullOrEmpty(operation.Value.GetProperty("summary").GetString()), path.Name);
            }
        }
    }

    private async Task<HttpResponseMessage> PutAsync(Guid uuid, string body)
    {
        using StringContent content = Json(body);
        return await _client.PutAsync($"/v1/domains/{uuid}", content, Cancellation);
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private async Task<string> ReadEventAsync(string? last, Func<string, bool> isWanted)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/v1/events");
        if (last is not null)
        {
            request.Headers.Add("Last-Event-ID", last);
        }

        using HttpResponseMessage answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using StreamReader reader = new(await answer.Content.ReadAsStreamAsync(Cancellation));
        while (true)
        {
            StringBuilder text = new();
            for (string? line = await reader.ReadLineAsync(Cancellation); !string.IsNullOrEmpty(line); line = await reader.ReadLineAsync(Cancellation))
            {
                text.Append(line).Append('\n');
            }

            if (isWanted(text.ToString()))
            {
                return text.ToString();
            }
        }
    }

    private static async Task<string> ReceiveAsync(ClientWebSocket socket, int length)
    {
        byte[] buffer = new byte[length];
        for (int done = 0; done < length;)
        {
            ValueWebSocketReceiveResult received = await socket.ReceiveAsync(buffer.AsMemory(done), Cancellation);
            Assert.Equal(WebSocketMessageType.Binary, received.MessageType);
            done += received.Count;
        }

        return Encoding.UTF8.GetString(buffer);
    }
}
