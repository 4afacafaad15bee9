// xeno create.
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Xenolith.Abi;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno.Commands;

/// <summary>
/// Makes a domain from an xl.cfg file by the daemon; where none runs, straight on the hypervisor: with a console, and, since nobody serves
/// them, without xenstore and devices.
/// </summary>
internal static class CreateCommand
{
    private static readonly Argument<FileInfo> s_file = new("file") { Description = "the domain's configuration, in the form of xl.cfg" };

    private static readonly Argument<string[]> s_lines = new("line") { Description = "further lines of the configuration, such as memory=512", Arity = ArgumentArity.ZeroOrMore };

    private static readonly Option<bool> s_paused = new("--paused", "-p") { Description = "leave it paused" };

    private static readonly Option<bool> s_console = new("--console", "-c") { Description = "connect this terminal with its console; without the daemon: print what it says until it shuts down, then destroy it" };

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
        command.SetAction((parsed, cancellation) => Daemon.IsThere
            ? Daemon.DoAsync(daemon => AskAsync(daemon, parsed, cancellation))
            : Direct.DoAsync(control => RunAsync(control, parsed, cancellation)));
        return command;
    }

    private static async Task<int> AskAsync(DaemonClient daemon, ParseResult parsed, CancellationToken cancellation)
    {
        XlDocument document = ReadDocument(parsed, out DomainConfiguration configuration);
        document.Set("kernel", FullPath(configuration.Kernel));
        document.Set("ramdisk", FullPath(configuration.Ramdisk));
        long begin = Stopwatch.GetTimestamp();
        CreatedDomain created = await Output.WaitAsync(
            $"making '{configuration.Name}'", daemon.CreateAsync(configuration.Uuid ?? Guid.NewGuid(), document.ToJson(), parsed.GetValue(s_paused), cancellation));
        Report(configuration.Name, created.Domain.Id ?? 0, created.Domain.Uuid, Stopwatch.GetElapsedTime(begin), parsed.GetValue(s_json));
        if (parsed.GetValue(s_console))
        {
            await ConsoleCommand.AttachAsync(daemon, created.Domain.Uuid.ToString("D"), isFromBoot: true, cancellation);
        }

        return 0;
    }

    /// <summary>The daemon does not know where this command was called.</summary>
    private static string? FullPath(string? file) => file is null ? null : Path.GetFullPath(file);

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
            Report(request.Name, domain.Id, domain.Uuid, took, parsed.GetValue(s_json));
            return parsed.GetValue(s_console) ? await FollowAsync(control, domain, cancellation) : Start(control, domain, parsed.GetValue(s_paused));
        }
        catch
        {
            control.Domains.Destroy(domain.Id);
            throw;
        }
    }

    private static XlDocument ReadDocument(ParseResult parsed, out DomainConfiguration configuration)
    {
        FileInfo file = parsed.GetRequiredValue(s_file);
        XlDocument document = XlDocument.Parse(File.ReadAllText(file.FullName), file.Name);
        document.Override(string.Join('\n', parsed.GetValue(s_lines) ?? []), "command line");
        configuration = DomainConfigurationReader.Read(document, out IReadOnlyList<string> warnings);
        foreach (string warning in warnings)
        {
            Console.Error.WriteLine($"xeno: {warning}");
        }

        return document;
    }

    private static BuildRequest ReadRequest(ControlInterface control, ParseResult parsed)
    {
        XlDocument document = ReadDocument(parsed, out DomainConfiguration configuration);
        if (configuration.Disks.Count + configuration.Interfaces.Count != 0)
        {
            throw new ConfigurationException(document.Source, 0, "its disks and interfaces need the daemon; leave them out");
        }

        if (configuration.Kernel is null)
        {
            throw new ConfigurationException(document.Source, 0, "it names no kernel; write kernel = \"FILE\"");
        }

        int[] nodes = [.. control.Machine.GetTopology().Select(place => (int)(place?.Node ?? 0))];
        return BuildRequest.For(configuration, nodes) with { XenstoreDomain = null };
    }

    private static void Report(string name, int id, Guid uuid, TimeSpan took, bool isJson)
    {
        if (isJson)
        {
            Output.WriteJson(new CreationReport(id, uuid, Math.Round(took.TotalMilliseconds, 1)));
        }
        else
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"domain '{name}' is number {id}, made in {took.TotalMilliseconds:F1} ms"));
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
