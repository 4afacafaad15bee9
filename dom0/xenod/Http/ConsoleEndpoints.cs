// Consoles over HTTP.
using System.Net.WebSockets;
using Xenod.Consoles;
using Xenod.Domains;

namespace Xenod.Http;

/// <summary>A domain's console: what it has said as text, or both ways over a WebSocket of binary messages.</summary>
internal static class ConsoleEndpoints
{
    private const int ChunkSize = 4096;

    internal static void MapConsoles(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/domains/{domain}/console", AttachAsync).WithName("attachConsole").WithTags("consoles")
            .WithSummary("A WebSocket to the domain's console; fromBoot=true begins with all that it has said").ProducesProblem(400).ProducesProblem(404);
        routes.MapGet("/v1/domains/{domain}/console/log", LogAsync).WithName("readConsole").WithTags("consoles")
            .WithSummary("All that the domain has said and that is kept").Produces<string>(200, "text/plain").ProducesProblem(404);
    }

    private static async Task LogAsync(string domain, IDomainService service, HttpContext context, CancellationToken cancellation)
    {
        ConsoleLog log = (await service.ConsoleAsync(domain, cancellation)).Log;
        context.Response.ContentType = "text/plain; charset=utf-8";
        long position = 0, end = log.End;
        byte[] chunk = new byte[ChunkSize];
        while (position < end)
        {
            int count = log.Read(ref position, chunk);
            await context.Response.Body.WriteAsync(chunk.AsMemory(0, count), cancellation);
        }
    }

    private static async Task AttachAsync(string domain, IDomainService service, HttpContext context, IHostApplicationLifetime lifetime, bool fromBoot = false)
    {
        IGuestConsole console = await service.ConsoleAsync(domain, context.RequestAborted);
        if (!context.WebSockets.IsWebSocketRequest)
        {
            throw new DomainServiceException(Refusal.Invalid, "a console is attached to by a WebSocket; what the domain has said is at .../console/log");
        }

        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        Task typing = TypeAsync(socket, console, ended);
        await SayAsync(socket, console, fromBoot ? 0 : console.Log.End, ended.Token);
        if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(1));
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "the console has ended", patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await ended.CancelAsync();
        await typing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Sends until the domain has ended and all is sent, or the client has gone.</summary>
    private static async Task SayAsync(WebSocket socket, IGuestConsole console, long position, CancellationToken cancellation)
    {
        byte[] chunk = new byte[ChunkSize];
        while (!cancellation.IsCancellationRequested && socket.State == WebSocketState.Open)
        {
            bool isLast = console.Ended.IsCompleted;
            int count = console.Log.Read(ref position, chunk);
            if (count > 0)
            {
                await socket.SendAsync(chunk.AsMemory(0, count), WebSocketMessageType.Binary, true, cancellation).AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            else if (isLast)
            {
                return;
            }
            else
            {
                Task more = Task.WhenAny(console.Log.WaitAsync(position, cancellation), console.Ended);
                await more.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static async Task TypeAsync(WebSocket socket, IGuestConsole console, CancellationTokenSource ended)
    {
        byte[] chunk = new byte[ChunkSize];
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult received = await socket.ReceiveAsync(chunk.AsMemory(), ended.Token);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                await console.TypeAsync(chunk.AsMemory(0, received.Count), ended.Token);
            }
        }
        finally
        {
            await ended.CancelAsync();
        }
    }
}
