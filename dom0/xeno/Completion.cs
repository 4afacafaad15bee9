// What completes a command's words.
using System.CommandLine;
using System.CommandLine.Completions;
using Xenolith.Toolstack.Daemon;

namespace Xeno;

/// <summary>Names for shells that complete a line.</summary>
internal static class Completion
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <summary>Lets an argument be completed by the names of the domains that there are; nobody answers when the daemon does not.</summary>
    internal static void OfDomains(Argument argument) => argument.CompletionSources.Add(_ => Names().Select(name => new CompletionItem(name)));

    private static IReadOnlyList<string> Names()
    {
        if (!Daemon.IsThere)
        {
            return [];
        }

        try
        {
            using DaemonClient daemon = new(Daemon.Socket);
            using CancellationTokenSource stop = new(s_patience);
            return [.. daemon.ListAsync(stop.Token).GetAwaiter().GetResult().Select(domain => domain.Name)];
        }
        catch (Exception exception) when (exception is DaemonException or OperationCanceledException or IOException)
        {
            return [];
        }
    }
}
