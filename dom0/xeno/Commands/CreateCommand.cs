// xeno create.
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Xenolith.Abi;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno.Commands;

/// <summary>
/// Makes a domain from an xl.cfg file, straight on the hypervisor: with a console, and, since nobody serves them, without xenstore and
/// devices.
/// </summary>
internal static class CreateCommand
{
    private static readonly Argument<FileInfo> s_file = new("file") { Description = "the domain's configuration, in the form of xl.cfg" };

    private static readonly Argument<string[]> s_lines = new("line") { Description = "further lines of the configuration, such as memory=512", Arity = ArgumentArity.ZeroOrMore };

    private static readonly Option<bool> s_paused = new("--paused", "-p") { Description = "leave it paused" };

    private static readonly Option<bool> s_console = new("--console", "-c") { Description = "print what it says until it shuts down, then destroy it" };

    private static readonly Option<bool> s_json = Direct.MakeJsonOption();

    private static readonly Option<bool> s_verbose = new("--verbose", "-v") { Description = "tell on standard error how long each step took" };

    private static readonly Option<string> s_cache = new("--kernel-cache")
    {
        Description = "directory for unpacked kernels",
        DefaultValueFactory = _ => KernelCache.DefaultDirectory,
    };

    internal static Command Make()
    {
        Command command = new("create", "Makes a domain.") { s_file, s_lines, s_paused, s_console, s_json, s_verbose, s_cache };
        Direct.Run(command, RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ControlInterface control, ParseResult parsed, CancellationToken cancellation)
    {
        BuildRequest request = ReadRequest(control, parsed);
        DomainBuilder builder = new(control, new KernelCache(parsed.GetValue(s_cache)!));
        long begin = Stopwatch.GetTimestamp();
        using StepTimes? steps = parsed.GetValue(s_verbose) ? new StepTimes() : null;
        BuiltDomain domain = await builder.BuildAsync(request, steps, cancellation);
        steps?.Dispose();
        try
        {
            TimeSpan took = Stopwatch.GetElapsedTime(begin);
            Report(request, domain, took, parsed.GetValue(s_json));
            return parsed.GetValue(s_console) ? await FollowAsync(control, domain, cancellation) : Start(control, domain, parsed.GetValue(s_paused));
        }
        catch
        {
            control.Domains.Destroy(domain.Id);
            throw;
        }
    }

    private static BuildRequest ReadRequest(ControlInterface control, ParseResult parsed)
    {
        FileInfo file = parsed.GetRequiredValue(s_file);
        string text = File.ReadAllText(file.FullName) + "\n" + string.Join('\n', parsed.GetValue(s_lines) ?? []);
        DomainConfiguration configuration = DomainConfigurationReader.Read(text, file.Name, out IReadOnlyList<string> warnings);
        foreach (string warning in warnings)
        {
            Console.Error.WriteLine($"xeno: {warning}");
        }

        if (configuration.Disks.Count + configuration.Interfaces.Count != 0)
        {
            throw new ConfigurationException(file.Name, 0, "its disks and interfaces need the daemon; leave them out");
        }

        if (configuration.Kernel is null)
        {
            throw new ConfigurationException(file.Name, 0, "it names no kernel; write kernel = \"FILE\"");
        }

        int[] nodes = [.. control.Machine.GetTopology().Select(place => (int)(place?.Node ?? 0))];
        return BuildRequest.For(configuration, nodes) with { XenstoreDomain = null };
    }

    private static void Report(BuildRequest request, BuiltDomain domain, TimeSpan took, bool isJson)
    {
        if (isJson)
        {
            Output.WriteJson(new CreationReport(domain.Id, domain.Uuid, Math.Round(took.TotalMilliseconds, 1)));
        }
        else
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"domain '{request.Name}' is number {domain.Id}, made in {took.TotalMilliseconds:F1} ms"));
        }
    }

    private static int Start(ControlInterface control, BuiltDomain domain, bool isPaused)
    {
        if (!isPaused)
        {
            control.Domains.Unpause(domain.Id);
        }

        return 0;
    }

    private static async Task<int> FollowAsync(ControlInterface control, BuiltDomain domain, CancellationToken cancellation)
    {
        ShutdownReason? reason;
        await using (ConsoleFollower follower = new(control, domain))
        {
            reason = await follower.RunAsync(Console.OpenStandardOutput(), cancellation);
        }

        if (reason is null)
        {
            Console.WriteLine($"domain {domain.Id} is gone");
            return 1;
        }

        control.Domains.Destroy(domain.Id);
        Console.WriteLine($"domain {domain.Id} has shut down: {reason}");
        return reason == ShutdownReason.PowerOff ? 0 : 1;
    }
}
