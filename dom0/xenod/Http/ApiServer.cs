// The daemon's HTTP interface.
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xenod.Domains;
using Xenod.Events;
using Xenod.Machine;

namespace Xenod.Http;

/// <summary>Serves the HTTP interface over a Unix socket, and over TCP with a token when that is asked for.</summary>
internal static class ApiServer
{
    private const int LargestRequest = 1024 * 1024;

    /// <summary>Makes the server; it listens when it is started.</summary>
    internal static WebApplication Create(ApiOptions options, IDomainService domains, IMachineService machine, EventLog events)
    {
        if (options.Tcp is not null && string.IsNullOrEmpty(options.Token))
        {
            throw new ArgumentException("over TCP the HTTP interface wants a token", nameof(options));
        }

        // Nothing but the options tells it what to do: the other builders read settings from the directory in which the daemon was started, and watch
        // everything below it, which is the whole machine where that is the root.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddRouting();
        builder.Services.AddSingleton(domains);
        builder.Services.AddSingleton(machine);
        builder.Services.AddSingleton(events);
        builder.Services.AddOpenApi();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default));
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestRequest;
            kestrel.ListenUnixSocket(options.SocketPath);
            if (options.Tcp is not null)
            {
                kestrel.Listen(options.Tcp, listen => listen.Protocols = HttpProtocols.Http1);
            }
        });

        WebApplication app = builder.Build();
        app.UseProblems();
        app.UseTokenCheck(options.Token);
        app.UseWebSockets();
        app.MapDomains();
        app.MapDevices();
        app.MapConsoles();
        app.MapEvents();
        app.MapMachine();
        app.MapOpenApi("/v1/openapi.json");
        return app;
    }

    /// <summary>Starts to listen; the socket is root's alone before anybody can connect.</summary>
    internal static async Task StartAsync(WebApplication app, ApiOptions options, CancellationToken cancellation)
    {
        string directory = Path.GetDirectoryName(options.SocketPath)!;
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Delete(options.SocketPath);
        await app.StartAsync(cancellation);
        File.SetUnixFileMode(options.SocketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
