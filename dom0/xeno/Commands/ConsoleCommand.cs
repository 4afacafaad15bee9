// xeno console.
using System.CommandLine;
using System.Net.WebSockets;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Interop;

namespace Xeno.Commands;

/// <summary>Connects the terminal with a domain's console.</summary>
internal static class ConsoleCommand
{
    private const byte Escape = 0x1D;

    internal static Command Make()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Option<bool> fromBoot = new("--from-boot", "-b") { Description = "begin with all that the domain has said" };
        Option<bool> log = new("--log", "-l") { Description = "print what the domain has said, also after its end, and come back" };
        Command command = new("console", "Connects this terminal with a domain's console; Ctrl-] leaves it.") { domain, fromBoot, log };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            string name = parsed.GetRequiredValue(domain);
            if (!parsed.GetValue(log))
            {
                await AttachAsync(daemon, name, parsed.GetValue(fromBoot), cancellation);
                return;
            }

            await using Stream said = await daemon.ReadConsoleAsync(name, cancellation);
            await using Stream output = Console.OpenStandardOutput();
            await said.CopyToAsync(output, cancellation);
        });
        return command;
    }

    /// <summary>Comes back when the domain has ended, or the user leaves it.</summary>
    internal static async Task AttachAsync(DaemonClient daemon, string domain, bool isFromBoot, CancellationToken cancellation)
    {
        using WebSocket socket = await daemon.AttachAsync(domain, isFromBoot, cancellation);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        if (!Console.IsInputRedirected)
        {
            await Console.Error.WriteLineAsync($"xeno: this is the console of '{domain}'; Ctrl-] leaves it");
        }

        using Terminal terminal = Terminal.MakeRaw();
        Task typing = TypeAsync(socket, stop);
        await PrintAsync(socket, stop.Token);
        await stop.CancelAsync();
        if (typing.IsCompleted)
        {
            await typing;
        }
    }

    private static async Task PrintAsync(WebSocket socket, CancellationToken cancellation)
    {
        await using Stream output = Console.OpenStandardOutput();
        byte[] chunk = new byte[4096];
        try
        {
            while (true)
            {
                ValueWebSocketReceiveResult received = await socket.ReceiveAsync(chunk.AsMemory(), cancellation);
                if (received.MessageType == WebSocketMessageType.Close)
                {
                    return;
                }

                await output.WriteAsync(chunk.AsMemory(0, received.Count), cancellation);
                await output.FlushAsync(cancellation);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or WebSocketException)
        {
            // Left by the user, or the daemon has ended.
        }
    }

    private static async Task TypeAsync(WebSocket socket, CancellationTokenSource stop)
    {
        await using Stream input = Console.OpenStandardInput();
        byte[] chunk = new byte[256];
        try
        {
            while (true)
            {
                int count = await input.ReadAsync(chunk, stop.Token);
                int escape = chunk.AsSpan(0, count).IndexOf(Escape);
                if (escape >= 0)
                {
                    count = escape;
                }

                if (count > 0)
                {
                    await socket.SendAsync(chunk.AsMemory(0, count), WebSocketMessageType.Binary, true, stop.Token);
                }

                if (escape >= 0)
                {
                    await stop.CancelAsync();
                    return;
                }

                if (count == 0)
                {
                    // Nothing more is typed; what the domain says is printed until its end.
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or WebSocketException)
        {
            // The domain or the daemon has ended.
        }
    }
}
