// xeno top.
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Spectre.Console;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>What the domains do, again and again.</summary>
internal static class TopCommand
{
    internal static Command Make()
    {
        Option<double> delay = new("--delay", "-d") { Description = "seconds between two looks", DefaultValueFactory = _ => 2 };
        Option<int> count = new("--iterations", "-n") { Description = "how many looks, 0: until interrupted" };
        delay.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 0.1 and <= 3600))
            {
                result.AddError("--delay takes a number of seconds from 0.1 to 3600");
            }
        });
        Command command = new("top", "Shows which domains use the processors, until interrupted.") { delay, count };
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            TimeSpan pause = TimeSpan.FromSeconds(parsed.GetValue(delay));
            int looks = parsed.GetValue(count);
            IAnsiConsole console = Output.Terminal;
            if (!console.Profile.Capabilities.Interactive || Console.IsOutputRedirected)
            {
                await LookAsync(daemon, pause, looks, console.Write, cancellation);
                return;
            }

            await console.Live(new Text("")).StartAsync(live => LookAsync(
                daemon, pause, looks, table =>
                {
                    live.UpdateTarget(table);
                    live.Refresh();
                },
                cancellation));
        });
        return command;
    }

    private static async Task LookAsync(DaemonClient daemon, TimeSpan pause, int looks, Action<Table> show, CancellationToken cancellation)
    {
        IReadOnlyList<DomainView> before = await daemon.ListAsync(cancellation);
        long then = Stopwatch.GetTimestamp();
        for (int look = 0; looks == 0 || look < looks; look++)
        {
            await Task.Delay(pause, cancellation);
            IReadOnlyList<DomainView> now = await daemon.ListAsync(cancellation);
            MachineView machine = await daemon.GetMachineAsync(cancellation);
            TimeSpan between = Stopwatch.GetElapsedTime(then);
            then = Stopwatch.GetTimestamp();
            show(MakeTable(machine, Shares(before, now, between)));
            before = now;
        }
    }

    /// <summary>Each domain with its use of processors in percent of one, the greatest first.</summary>
    internal static IReadOnlyList<(DomainView Domain, double Percent)> Shares(IReadOnlyList<DomainView> before, IReadOnlyList<DomainView> now, TimeSpan between)
    {
        Dictionary<(Guid, int?), long> had = before.ToDictionary(domain => (domain.Uuid, domain.Id), domain => domain.CpuNanoseconds);
        return [.. now
            .Select(domain => (domain, 100 * (domain.CpuNanoseconds - had.GetValueOrDefault((domain.Uuid, domain.Id))) / between.TotalNanoseconds))
            .OrderByDescending(pair => pair.Item2)];
    }

    private static Table MakeTable(MachineView machine, IReadOnlyList<(DomainView Domain, double Percent)> shares)
    {
        Table table = Output.MakeTable(["Id", "Name", "State", "CPU %", "Seconds", "MiB", "Vcpus"], 0, 3, 4, 5, 6);
        table.Title = new TableTitle(string.Create(
            CultureInfo.InvariantCulture,
            $"{machine.Hypervisor}: {machine.Domains} domains, {machine.Processors} processors {shares.Sum(share => share.Percent) / machine.Processors:F0} % used, {machine.FreeKiB / 1024} of {machine.TotalKiB / 1024} MiB free"));
        foreach ((DomainView domain, double percent) in shares)
        {
            Output.AddRow(
                table,
                domain.Id?.ToString(CultureInfo.InvariantCulture) ?? "-",
                domain.Name,
                domain.State.ToString().ToLowerInvariant(),
                percent.ToString("F1", CultureInfo.InvariantCulture),
                (domain.CpuNanoseconds / 1e9).ToString("F1", CultureInfo.InvariantCulture),
                (domain.MemoryKiB / 1024).ToString(CultureInfo.InvariantCulture),
                domain.Vcpus.ToString(CultureInfo.InvariantCulture));
        }

        return table;
    }
}
