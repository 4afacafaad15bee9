// Commands that ask the daemon.
using System.CommandLine;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;

namespace Xeno;

/// <summary>Connects a command with the daemon, and turns failures into a sentence on standard error.</summary>
internal static class Daemon
{
    /// <summary>Where the daemon listens: $XENOD_SOCKET, or its usual place.</summary>
    internal static string Socket => Environment.GetEnvironmentVariable("XENOD_SOCKET") ?? DaemonClient.DefaultSocket;

    /// <summary>There is a daemon on this machine, or has been.</summary>
    internal static bool IsThere => File.Exists(Socket);

    /// <summary>The domain that a command is about.</summary>
    internal static Argument<string> MakeDomainArgument()
    {
        Argument<string> domain = new("domain") { Description = "name, number or uuid of the domain" };
        Completion.OfDomains(domain);
        return domain;
    }

    /// <summary>Gives a command its work.</summary>
    internal static void Run(Command command, Func<DaemonClient, ParseResult, CancellationToken, Task<int>> work)
        => command.SetAction((parsed, cancellation) => DoAsync(daemon => work(daemon, parsed, cancellation)));

    /// <summary>Gives a command work that ends in success or in an exception.</summary>
    internal static void Run(Command command, Func<DaemonClient, ParseResult, CancellationToken, Task> work) => Run(command, async (daemon, parsed, cancellation) =>
    {
        await work(daemon, parsed, cancellation);
        return 0;
    });

    /// <summary>Does work with the daemon.</summary>
    internal static async Task<int> DoAsync(Func<DaemonClient, Task<int>> work)
    {
        try
        {
            using DaemonClient daemon = new(Socket);
            return await work(daemon);
        }
        catch (OperationCanceledException)
        {
            return Direct.Interrupted;
        }
        catch (Exception failure) when (failure is DaemonException or ConfigurationException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"xeno: {failure.Message}");
            return 1;
        }
    }
}
