// xeno pause, unpause and destroy.
using System.CommandLine;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno.Commands;

/// <summary>Commands that do one thing to one domain.</summary>
internal static class LifeCommands
{
    internal static Command Pause() => Make("pause", "Stops a domain until it is unpaused.", control => control.Domains.Pause);

    internal static Command Unpause() => Make("unpause", "Lets a paused domain run on.", control => control.Domains.Unpause);

    internal static Command Destroy() => Make("destroy", "Ends a domain at once, without asking its kernel.", control => control.Domains.Destroy);

    private static Command Make(string name, string description, Func<ControlInterface, Action<ushort>> operation)
    {
        Argument<ushort> domain = Direct.MakeDomainArgument();
        Command command = new(name, description) { domain };
        Direct.Run(command, (control, parsed) => operation(control)(parsed.GetValue(domain)));
        return command;
    }
}
