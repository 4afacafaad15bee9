// The daemon from the outside.
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Xenolith.Toolstack.Daemon;

/// <summary>
/// Asks the daemon over its Unix socket. Domains are named by uuid, name or number. Every member throws a <see cref="DaemonException"/> when the
/// daemon refuses or is not there, and may be called from any thread.
/// </summary>
/// <example><code>
/// using DaemonClient daemon = new();
/// foreach (DomainView domain in await daemon.ListAsync())
/// {
///     Console.WriteLine($"{domain.Name} {domain.State}");
/// }
/// </code></example>
public sealed class DaemonClient : IDisposable
{
    /// <summary>Where the daemon listens.</summary>
    public const string DefaultSocket = "/run/xenolith/xenod.sock";

    private readonly string _socket;
    private readonly SocketsHttpHandler _handler;
    private readonly HttpClient _client;

    /// <summary>A client; it connects when it is used.</summary>
    /// <param name="socket">Path of the daemon's socket.</param>
    public DaemonClient(string socket = DefaultSocket)
    {
        _socket = socket;
        _handler = new SocketsHttpHandler { ConnectCallback = ConnectAsync, UseProxy = false };
        _client = new HttpClient(_handler) { BaseAddress = new Uri("http://xenod/v1/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>All domains.</summary>
    public async Task<IReadOnlyList<DomainView>> ListAsync(CancellationToken cancellation = default)
        => (await ReadAsync(HttpMethod.Get, "domains", null, DaemonJson.Default.DomainList, cancellation).ConfigureAwait(false)).Domains;

    /// <summary>One domain.</summary>
    public Task<DomainView> GetAsync(string domain, CancellationToken cancellation = default)
        => ReadAsync(HttpMethod.Get, Path(domain), null, DaemonJson.Default.DomainView, cancellation);

    /// <summary>Makes and starts a domain; asking again with the same uuid and settings changes nothing.</summary>
    /// <param name="uuid">Chosen by the caller.</param>
    /// <param name="settings">A JSON object with the keys of xl.cfg.</param>
    /// <param name="isPaused">It is made and does not run yet.</param>
    /// <param name="cancellation">Ends the making; nothing is left of it then.</param>
    public Task<CreatedDomain> CreateAsync(Guid uuid, JsonElement settings, bool isPaused = false, CancellationToken cancellation = default)
        => ReadAsync(HttpMethod.Put, $"domains/{uuid:D}?paused={Truth(isPaused)}", JsonContent.Create(settings, DaemonJson.Default.JsonElement), DaemonJson.Default.CreatedDomain, cancellation);

    /// <summary>Keeps a domain from running.</summary>
    public Task PauseAsync(string domain, CancellationToken cancellation = default) => DoAsync(HttpMethod.Post, $"{Path(domain)}/pause", null, cancellation);

    /// <summary>Lets a paused domain run on.</summary>
    public Task UnpauseAsync(string domain, CancellationToken cancellation = default) => DoAsync(HttpMethod.Post, $"{Path(domain)}/unpause", null, cancellation);

    /// <summary>Asks a domain's kernel to power off.</summary>
    public Task ShutdownAsync(string domain, CancellationToken cancellation = default) => DoAsync(HttpMethod.Post, $"{Path(domain)}/shutdown", null, cancellation);

    /// <summary>Asks a domain's kernel to start anew.</summary>
    public Task RebootAsync(string domain, CancellationToken cancellation = default) => DoAsync(HttpMethod.Post, $"{Path(domain)}/reboot", null, cancellation);

    /// <summary>Ends a domain at once.</summary>
    public Task DestroyAsync(string domain, CancellationToken cancellation = default) => DoAsync(HttpMethod.Delete, Path(domain), null, cancellation);

    /// <summary>Changes a domain's memory, vcpus or share.</summary>
    public Task ChangeAsync(string domain, DomainChange change, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Patch, Path(domain), JsonContent.Create(change, DaemonJson.Default.DomainChange), cancellation);

    /// <summary>The virtual processors of a domain.</summary>
    public async Task<IReadOnlyList<VcpuView>> ListVcpusAsync(string domain, CancellationToken cancellation = default)
        => (await ReadAsync(HttpMethod.Get, $"{Path(domain)}/vcpus", null, DaemonJson.Default.VcpuList, cancellation).ConfigureAwait(false)).Vcpus;

    /// <summary>What the machine has.</summary>
    public Task<MachineView> GetMachineAsync(CancellationToken cancellation = default) => ReadAsync(HttpMethod.Get, "machine", null, DaemonJson.Default.MachineView, cancellation);

    /// <summary>The disks of a domain.</summary>
    public async Task<IReadOnlyList<DiskView>> ListDisksAsync(string domain, CancellationToken cancellation = default)
        => (await ReadAsync(HttpMethod.Get, $"{Path(domain)}/disks", null, DaemonJson.Default.DiskList, cancellation).ConfigureAwait(false)).Disks;

    /// <summary>Gives a running domain a disk, described as in an xl.cfg file.</summary>
    public Task AttachDiskAsync(string domain, string disk, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Post, $"{Path(domain)}/disks", JsonContent.Create(new DiskRequest(disk), DaemonJson.Default.DiskRequest), cancellation);

    /// <summary>Takes a disk away from a domain; by force, its kernel is not asked.</summary>
    public Task DetachDiskAsync(string domain, string name, bool isForced = false, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Delete, $"{Path(domain)}/disks/{Uri.EscapeDataString(name)}?force={Truth(isForced)}", null, cancellation);

    /// <summary>The network interfaces of a domain.</summary>
    public async Task<IReadOnlyList<InterfaceView>> ListInterfacesAsync(string domain, CancellationToken cancellation = default)
        => (await ReadAsync(HttpMethod.Get, $"{Path(domain)}/interfaces", null, DaemonJson.Default.InterfaceList, cancellation).ConfigureAwait(false)).Interfaces;

    /// <summary>Gives a running domain a network interface, described as in an xl.cfg file.</summary>
    public Task AttachInterfaceAsync(string domain, string text, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Post, $"{Path(domain)}/interfaces", JsonContent.Create(new InterfaceRequest(text), DaemonJson.Default.InterfaceRequest), cancellation);

    /// <summary>Takes a network interface away from a domain; by force, its kernel is not asked.</summary>
    public Task DetachInterfaceAsync(string domain, uint index, bool isForced = false, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Delete, string.Create(CultureInfo.InvariantCulture, $"{Path(domain)}/interfaces/{index}?force={Truth(isForced)}"), null, cancellation);

    /// <summary>Gives a network interface other rules, all at once.</summary>
    public Task SetRulesAsync(string domain, uint index, IReadOnlyList<string> rules, CancellationToken cancellation = default)
        => DoAsync(HttpMethod.Put, string.Create(CultureInfo.InvariantCulture, $"{Path(domain)}/interfaces/{index}/rules"), JsonContent.Create(new RuleList(rules), DaemonJson.Default.RuleList), cancellation);

    /// <summary>All that a domain has said and that is kept.</summary>
    public async Task<Stream> ReadConsoleAsync(string domain, CancellationToken cancellation = default)
    {
        HttpResponseMessage answer = await SendAsync(HttpMethod.Get, $"{Path(domain)}/console/log", null, null, cancellation).ConfigureAwait(false);
        return await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>A domain's console: binary messages both ways, closed by the daemon when the domain has ended.</summary>
    /// <param name="domain">Which domain.</param>
    /// <param name="isFromBoot">Begin with all that it has said.</param>
    /// <param name="cancellation">Ends the connecting.</param>
    public async Task<WebSocket> AttachAsync(string domain, bool isFromBoot = false, CancellationToken cancellation = default)
    {
        // The upgrade tells no reason when it is refused.
        await GetAsync(domain, cancellation).ConfigureAwait(false);
        ClientWebSocket socket = new();
        try
        {
            using HttpMessageInvoker invoker = new(_handler, disposeHandler: false);
            await socket.ConnectAsync(new Uri($"ws://xenod/v1/{Path(domain)}/console?fromBoot={Truth(isFromBoot)}"), invoker, cancellation).ConfigureAwait(false);
            return socket;
        }
        catch (WebSocketException exception)
        {
            socket.Dispose();
            throw new DaemonException(socket.HttpStatusCode, $"the console of domain '{domain}' cannot be attached to: this daemon has not made the domain", exception);
        }
    }

    /// <summary>What happens to domains, until cancelled or the daemon stops.</summary>
    /// <param name="after">Id of the last event that is known; null: only what happens from now on.</param>
    /// <param name="cancellation">Ends it.</param>
    public async IAsyncEnumerable<(string Id, DomainEvent Event)> ReadEventsAsync(string? after = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using HttpResponseMessage answer = await SendAsync(HttpMethod.Get, "events", null, after, cancellation).ConfigureAwait(false);
        SseParser<DomainEvent?> parser = SseParser.Create(
            await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false), (_, data) => JsonSerializer.Deserialize(data, DaemonJson.Default.DomainEvent));
        await foreach (SseItem<DomainEvent?> item in parser.EnumerateAsync(cancellation).ConfigureAwait(false))
        {
            if (item.Data is not null)
            {
                yield return (item.EventId ?? "", item.Data);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
    }

    private static string Truth(bool value) => value ? "true" : "false";

    private static string Path(string domain) => $"domains/{Uri.EscapeDataString(domain)}";

    private async Task<T> ReadAsync<T>(HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using HttpResponseMessage answer = await SendAsync(method, path, content, null, cancellation).ConfigureAwait(false);
        try
        {
            return await answer.Content.ReadFromJsonAsync(type, cancellation).ConfigureAwait(false) ?? throw new DaemonException(answer.StatusCode, $"the daemon's answer to {method} {path} is empty");
        }
        catch (JsonException exception)
        {
            throw new DaemonException(answer.StatusCode, $"the answer to {method} {path} at {_socket} is not understood: is xenod of the same version as this program?", exception);
        }
    }

    private async Task DoAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellation)
        => (await SendAsync(method, path, content, null, cancellation).ConfigureAwait(false)).Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content, string? lastEvent, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(method, path) { Content = content };
        if (lastEvent is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEvent);
        }

        HttpResponseMessage answer;
        try
        {
            answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException exception)
        {
            throw new DaemonException(null, $"the daemon does not answer at {_socket}: start xenod, as root", exception);
        }

        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            throw new DaemonException(answer.StatusCode, await ReasonAsync(answer, cancellation).ConfigureAwait(false));
        }
    }

    private static async Task<string> ReasonAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        try
        {
            Problem? problem = await answer.Content.ReadFromJsonAsync(DaemonJson.Default.Problem, cancellation).ConfigureAwait(false);
            return problem?.Detail ?? problem?.Title ?? $"the daemon answers with status {(int)answer.StatusCode}";
        }
        catch (JsonException)
        {
            return $"the daemon answers with status {(int)answer.StatusCode}";
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
