// xeno mem-set, vcpu-set and sched.
using System.CommandLine;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>Commands that change what a domain has.</summary>
internal static class ChangeCommands
{
    internal static Command Memory()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<int> memory = new("MiB") { Description = "how much memory it is to have" };
        Command command = new("mem-set", "Asks a domain's kernel to have more or less memory, up to its maxmem.") { domain, memory };
        Daemon.Run(command, (daemon, parsed, cancellation) => daemon.ChangeAsync(parsed.GetRequiredValue(domain), new DomainChange(Memory: parsed.GetValue(memory)), cancellation));
        return command;
    }

    internal static Command Vcpus()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Argument<int> vcpus = new("number") { Description = "how many vcpus are to be on" };
        Command command = new("vcpu-set", "Asks a domain's kernel to use more or fewer vcpus, up to its maxvcpus.") { domain, vcpus };
        Daemon.Run(command, (daemon, parsed, cancellation) => daemon.ChangeAsync(parsed.GetRequiredValue(domain), new DomainChange(Vcpus: parsed.GetValue(vcpus)), cancellation));
        return command;
    }

    internal static Command Share()
    {
        Argument<string> domain = Daemon.MakeDomainArgument();
        Option<int?> weight = new("--weight", "-w") { Description = "share beside other domains, 1 to 65535; 256 is the usual one" };
        Option<int?> cap = new("--cap", "-c") { Description = "the most percent of one processor; 0: no limit" };
        Command command = new("sched", "Sets a domain's share of the processors.") { domain, weight, cap };
        Daemon.Run(command, (daemon, parsed, cancellation)
            => daemon.ChangeAsync(parsed.GetRequiredValue(domain), new DomainChange(Weight: parsed.GetValue(weight), Cap: parsed.GetValue(cap)), cancellation));
        return command;
    }
}
