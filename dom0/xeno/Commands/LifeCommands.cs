// xeno pause, unpause, shutdown, reboot and destroy.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno.Commands;

/// <summary>Commands that do one thing to one domain; without a daemon those that only the hypervisor is needed for.</summary>
internal static class LifeCommands
{
    internal static Command Pause() => Make("pause", "Keeps a domain from running until it is unpaused.", (daemon, domain, token) => daemon.PauseAsync(domain, token), control => control.Domains.Pause);

    internal static Command Unpause() => Make("unpause", "Lets a paused domain run on.", (daemon, domain, token) => daemon.UnpauseAsync(domain, token), control => control.Domains.Unpause);

    internal static Command Destroy() => Make("destroy", "Ends a domain at once, without asking its kernel.", (daemon, domain, token) => daemon.DestroyAsync(domain, token), control => control.Domains.Destroy);

    internal static Command Shutdown() => MakeAsking("shutdown", "Asks a domain's kernel to power off.", (daemon, domain, token) => daemon.ShutdownAsync(domain, token), canWait: true);

    internal static Command Reboot() => MakeAsking("reboot", "Asks a domain's kernel to start anew.", (daemon, domain, token) => daemon.RebootAsync(domain, token), canWait: false);

    private static Command Make(string name, string description, Func<DaemonClient, string, CancellationToken, Task> ask, Func<ControlInterface, Action<ushort>> operation)
    {
        Argument<string> argument = Daemon.MakeDomainArgument();
        Command command = new(name, description) { argument };
        command.SetAction((parsed, cancellation) =>
        {
            string domain = parsed.GetRequiredValue(argument);
            return Daemon.IsThere
                ? Daemon.DoAsync(async daemon =>
                {
                    await ask(daemon, domain, cancellation);
                    return 0;
                })
                : Direct.DoAsync(control =>
                {
                    operation(control)(Number(domain));
                    return Task.FromResult(0);
                });
        });
        return command;
    }

    private static Command MakeAsking(string name, string description, Func<DaemonClient, string, CancellationToken, Task> ask, bool canWait)
    {
        Argument<string> argument = Daemon.MakeDomainArgument();
        Option<bool> wait = new("--wait", "-w") { Description = "come back when the domain is gone, or is kept or starts anew as its settings say" };
        Command command = new(name, description) { argument };
        if (canWait)
        {
            command.Add(wait);
        }

        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            DomainView view = await daemon.GetAsync(parsed.GetRequiredValue(argument), cancellation);
            await ask(daemon, view.Uuid.ToString("D"), cancellation);
            if (canWait && parsed.GetValue(wait))
            {
                await WaitAsync(daemon, view, cancellation);
            }
        });
        return command;
    }

    private static async Task WaitAsync(DaemonClient daemon, DomainView before, CancellationToken cancellation)
    {
        while ((await daemon.ListAsync(cancellation)).FirstOrDefault(domain => domain.Uuid == before.Uuid) is { State: not (DomainState.Shutdown or DomainState.Crashed) } now
            && now.Id == before.Id)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation);
        }
    }

    private static ushort Number(string domain)
        => ushort.TryParse(domain, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
            ? number
            : throw new FormatException($"'{domain}' is no number of a domain: without the daemon (xenod) domains have no names; xeno list shows the numbers");
}
