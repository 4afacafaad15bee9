// Commands that work on the hypervisor itself.
using System.CommandLine;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno;

/// <summary>Opens the hypervisor for a command, and turns failures into a sentence on standard error.</summary>
internal static class Direct
{
    /// <summary>Exit status of a command that the user has interrupted.</summary>
    internal const int Interrupted = 130;

    /// <summary>The option that all commands with output share.</summary>
    internal static Option<bool> MakeJsonOption() => new("--json") { Description = "print JSON" };

    /// <summary>Gives a command its work.</summary>
    internal static void Run(Command command, Func<ControlInterface, ParseResult, CancellationToken, Task<int>> work)
        => command.SetAction((parsed, cancellation) => DoAsync(control => work(control, parsed, cancellation)));

    /// <summary>Does work on the hypervisor.</summary>
    internal static async Task<int> DoAsync(Func<ControlInterface, Task<int>> work)
    {
        try
        {
            using ControlInterface control = ControlInterface.Open();
            return await work(control);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception failure) when (failure is XenException or DomainBuildException or KernelException or ConfigurationException or FormatException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"xeno: {failure.Message}");
            return 1;
        }
    }

    /// <summary>Gives a command work that is done at once.</summary>
    internal static void Run(Command command, Action<ControlInterface, ParseResult> work) => Run(command, (control, parsed, _) =>
    {
        work(control, parsed);
        return Task.FromResult(0);
    });
}
