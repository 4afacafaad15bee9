// xeno disk-attach, disk-detach, disk-list, net-attach, net-detach, net-list and rules.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>Commands about the disks and network interfaces of a domain.</summary>
internal static class DeviceCommands
{
    internal static Command AttachDisk()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<string> disk = new("disk") { Description = "as in an xl.cfg file: TARGET,FORMAT,NAME,ACCESS, such as /srv/disk.img,raw,xvdb,w" };
        Command command = new("disk-attach", "Gives a running domain a disk.") { domain, disk };
        Daemon.Run(command, (daemon, parsed, cancellation) => daemon.AttachDiskAsync(parsed.GetRequiredValue(domain), parsed.GetRequiredValue(disk), cancellation));
        return command;
    }

    internal static Command DetachDisk()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<string> name = new("name") { Description = "the disk's name in the guest, such as xvdb" };
        Option<bool> force = MakeForceOption();
        Command command = new("disk-detach", "Takes a disk away from a running domain.") { domain, name, force };
        Daemon.Run(command, (daemon, parsed, cancellation)
            => daemon.DetachDiskAsync(parsed.GetRequiredValue(domain), parsed.GetRequiredValue(name), parsed.GetValue(force), cancellation));
        return command;
    }

    internal static Command ListDisks()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Option<bool> json = Direct.MakeJsonOption();
        Command command = new("disk-list", "Lists the disks of a domain.") { domain, json };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            IReadOnlyList<DiskView> disks = await daemon.ListDisksAsync(parsed.GetRequiredValue(domain), cancellation);
            if (parsed.GetValue(json))
            {
                Output.WriteJson(disks);
                return;
            }

            Output.WriteTable(
                ["Name", "Access", "Used", "Device", "Target"],
                disks.Select(disk => new[] { disk.Name, disk.IsReadOnly ? "read" : "write", disk.IsConnected ? "yes" : "no", disk.Device ?? "-", disk.Target }));
        });
        return command;
    }

    internal static Command AttachInterface()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<string> description = new("interface") { Description = "as in an xl.cfg file, such as bridge=br0,mac=00:16:3e:1:2:3; without it one of the private network", DefaultValueFactory = _ => "" };
        Command command = new("net-attach", "Gives a running domain a network interface.") { domain, description };
        Daemon.Run(command, (daemon, parsed, cancellation) => daemon.AttachInterfaceAsync(parsed.GetRequiredValue(domain), parsed.GetValue(description) ?? "", cancellation));
        return command;
    }

    internal static Command DetachInterface()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<uint> index = MakeIndexArgument();
        Option<bool> force = MakeForceOption();
        Command command = new("net-detach", "Takes a network interface away from a running domain.") { domain, index, force };
        Daemon.Run(command, (daemon, parsed, cancellation)
            => daemon.DetachInterfaceAsync(parsed.GetRequiredValue(domain), parsed.GetValue(index), parsed.GetValue(force), cancellation));
        return command;
    }

    internal static Command ListInterfaces()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Option<bool> json = Direct.MakeJsonOption();
        Command command = new("net-list", "Lists the network interfaces of a domain.") { domain, json };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            IReadOnlyList<InterfaceView> interfaces = await daemon.ListInterfacesAsync(parsed.GetRequiredValue(domain), cancellation);
            if (parsed.GetValue(json))
            {
                Output.WriteJson(interfaces);
                return;
            }

            Output.WriteTable(
                ["Index", "Name", "Ethernet", "Addresses", "Network", "Used"],
                interfaces.Select(one => new[] { Text(one.Index), one.Name, one.Mac, string.Join(' ', one.Addresses), one.GatewayDevice is { } gateway ? $"routed: {gateway}" : one.Bridge, one.IsConnected ? "yes" : "no" }), 0);
        });
        return command;
    }

    internal static Command Rules()
    {
        Command command = new("rules", "Shows and sets what a domain's network interface lets through.") { ShowRules(), AddRule(), RemoveRule(), SetRules() };
        return command;
    }

    private static Command ShowRules()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Option<uint> index = MakeIndexOption();
        Command command = new("list", "Lists the rules in the order in which they are asked, and what they and the locks have counted.") { domain, index };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            InterfaceView one = await InterfaceAsync(daemon, parsed.GetRequiredValue(domain), parsed.GetValue(index), cancellation);
            Output.WriteTable(["Rule", "Text"], one.Rules.Select((rule, number) => new[] { Text((uint)number + 1), rule }), 0);
            Output.WriteTable(["Packets", "Bytes", "Counted by"], one.Counters.Select(counter => new[] { Text(counter.Packets), Text(counter.Bytes), counter.Rule }), 0, 1);
        });
        return command;
    }

    private static Command AddRule()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<string> rule = new("rule") { Description = "such as 'deny out tcp port 25', 'limit 100/second out', 'forward tcp 8080 to 80'" };
        Option<uint> index = MakeIndexOption();
        Option<int?> at = new("--at") { Description = "its place; without it the last" };
        Command command = new("add", "Adds a rule.") { domain, rule, index, at };
        Daemon.Run(command, (daemon, parsed, cancellation) => ChangeAsync(
            daemon, parsed.GetRequiredValue(domain), parsed.GetValue(index), rules => rules.Insert(Place(parsed.GetValue(at) ?? rules.Count + 1, rules.Count + 1), parsed.GetRequiredValue(rule)), cancellation));
        return command;
    }

    private static Command RemoveRule()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<int> number = new("number") { Description = "its place, as 'rules list' shows it" };
        Option<uint> index = MakeIndexOption();
        Command command = new("remove", "Removes a rule.") { domain, number, index };
        Daemon.Run(command, (daemon, parsed, cancellation) => ChangeAsync(
            daemon, parsed.GetRequiredValue(domain), parsed.GetValue(index), rules => rules.RemoveAt(Place(parsed.GetValue(number), rules.Count)), cancellation));
        return command;
    }

    private static Command SetRules()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<string[]> wanted = new("rule") { Description = "all rules, in order; none = only the locks on foreign addresses", Arity = ArgumentArity.ZeroOrMore };
        Option<uint> index = MakeIndexOption();
        Command command = new("set", "Puts rules in place of those that there are, all at once.") { domain, wanted, index };
        Daemon.Run(command, (daemon, parsed, cancellation)
            => daemon.SetRulesAsync(parsed.GetRequiredValue(domain), parsed.GetValue(index), parsed.GetValue(wanted) ?? [], cancellation));
        return command;
    }

    private static async Task ChangeAsync(DaemonClient daemon, string domain, uint index, Action<List<string>> change, CancellationToken cancellation)
    {
        List<string> rules = [.. (await InterfaceAsync(daemon, domain, index, cancellation)).Rules];
        change(rules);
        await daemon.SetRulesAsync(domain, index, rules, cancellation);
    }

    private static async Task<InterfaceView> InterfaceAsync(DaemonClient daemon, string domain, uint index, CancellationToken cancellation)
        => (await daemon.ListInterfacesAsync(domain, cancellation)).FirstOrDefault(one => one.Index == index)
            ?? throw new IOException($"domain '{domain}' has no network interface {Text(index)}; 'xeno net-list {domain}' shows those that it has");

    private static int Place(int number, int last)
        => number >= 1 && number <= last ? number - 1 : throw new IOException($"there is no place {Text(number)} in the rules; places are 1 to {Text(last)}");

    private static Option<bool> MakeForceOption() => new("--force", "-f") { Description = "without asking the guest's kernel" };

    private static Argument<uint> MakeIndexArgument() => new("index") { Description = "which of the domain's interfaces, from 0" };

    private static Option<uint> MakeIndexOption() => new("--interface", "-i") { Description = "which of the domain's interfaces, from 0" };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
