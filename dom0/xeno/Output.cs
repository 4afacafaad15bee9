// What commands print.
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Spectre.Console;
using Xeno.Commands;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno;

/// <summary>Tables for people, JSON for programs.</summary>
internal static class Output
{
    private static readonly IAnsiConsole s_console = MakeConsole();

    internal static IAnsiConsole Terminal => s_console;

    internal static void WriteTable(IReadOnlyList<string> columns, IEnumerable<string[]> rows, params ReadOnlySpan<int> rightAligned)
    {
        Table table = MakeTable(columns, rightAligned);
        foreach (string[] row in rows)
        {
            AddRow(table, row);
        }

        s_console.Write(table);
    }

    private static IAnsiConsole MakeConsole()
    {
        const int Unbroken = 1000;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings());
        if (Console.IsOutputRedirected)
        {
            // Programs read lines: a row is one.
            console.Profile.Width = Unbroken;
        }

        return console;
    }

    /// <summary>A table without rows.</summary>
    internal static Table MakeTable(IReadOnlyList<string> columns, params ReadOnlySpan<int> rightAligned)
    {
        Table table = new() { Border = TableBorder.None };
        for (int i = 0; i < columns.Count; i++)
        {
            // As the library draws tables without lines; where it is not told so, it takes columns for wider when it breaks text to fit the terminal.
            TableColumn column = new(new Text(columns[i])) { Padding = new Padding(0, 0, 1, 0) };
            table.AddColumn(rightAligned.Contains(i) ? column.RightAligned() : column);
        }

        return table;
    }

    /// <summary>Adds a row; what is in it is no markup.</summary>
    internal static void AddRow(Table table, params string[] row) => table.AddRow(row.Select(cell => new Text(cell)));

    /// <summary>Does what takes long, with a sign of life where a person looks on.</summary>
    internal static async Task<T> WaitAsync<T>(string what, Task<T> work)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return Console.IsErrorRedirected || Console.IsOutputRedirected || !console.Profile.Capabilities.Interactive
            ? await work
            : await console.Status().StartAsync(Markup.Escape(what), _ => work);
    }

    internal static void WriteJson(MachineReport report) => Console.WriteLine(JsonSerializer.Serialize(report, OutputJson.Default.MachineReport));

    internal static void WriteJson(IReadOnlyList<DomainReport> domains) => Console.WriteLine(JsonSerializer.Serialize(domains, OutputJson.Default.IReadOnlyListDomainReport));

    internal static void WriteJson(IReadOnlyList<DiskView> disks) => Console.WriteLine(JsonSerializer.Serialize(disks, OutputJson.Default.IReadOnlyListDiskView));

    internal static void WriteJson(IReadOnlyList<InterfaceView> interfaces) => Console.WriteLine(JsonSerializer.Serialize(interfaces, OutputJson.Default.IReadOnlyListInterfaceView));

    internal static void WriteJson(IReadOnlyList<DomainVcpus> domains) => Console.WriteLine(JsonSerializer.Serialize(domains, OutputJson.Default.IReadOnlyListDomainVcpus));

    internal static void WriteJson(DomainEvent one) => Console.WriteLine(JsonSerializer.Serialize(one, EventJson.Default.DomainEvent));

    internal static void WriteJson(CreationReport report) => Console.WriteLine(JsonSerializer.Serialize(report, OutputJson.Default.CreationReport));
}

/// <summary>The machine, as <c>xeno info</c> tells it.</summary>
/// <param name="Hypervisor">Its version.</param>
/// <param name="ChangeSet">What it was built from.</param>
/// <param name="Capabilities">Kinds of domains.</param>
/// <param name="CommandLine">Its options.</param>
/// <param name="Scheduler">Who divides the processors.</param>
/// <param name="Processors">Processors in use.</param>
/// <param name="Megahertz">Rate of the time-stamp counter.</param>
/// <param name="TotalMebibytes">Memory that the hypervisor manages.</param>
/// <param name="FreeMebibytes">Memory that no domain has.</param>
/// <param name="HasHardwareVirtualization">Domains with hardware virtualization can run.</param>
/// <param name="Domains">How many there are, with Domain 0.</param>
internal sealed record MachineReport(
    string Hypervisor,
    string ChangeSet,
    IReadOnlyList<string> Capabilities,
    string CommandLine,
    string Scheduler,
    int Processors,
    uint Megahertz,
    ulong TotalMebibytes,
    ulong FreeMebibytes,
    bool HasHardwareVirtualization,
    int Domains);

/// <summary>A domain, as <c>xeno list</c> tells it.</summary>
/// <param name="Id">Its number; null while it is being made.</param>
/// <param name="Name">Its name; null when no daemon tells it.</param>
/// <param name="Uuid">Its UUID.</param>
/// <param name="State">What it does.</param>
/// <param name="ShutdownReason">Why it has shut down, if it has.</param>
/// <param name="Mebibytes">Memory that it has.</param>
/// <param name="Vcpus">Vcpus that its kernel has brought up.</param>
/// <param name="Seconds">Processor time.</param>
internal sealed record DomainReport(int? Id, string? Name, Guid Uuid, string State, string? ShutdownReason, ulong Mebibytes, int Vcpus, double Seconds)
{
    internal static DomainReport From(DomainInformation domain) => new(
        domain.Id, null, domain.Uuid, Describe(domain), domain.ShutdownReason?.ToString(), domain.Pages / 256, domain.OnlineVcpus, Math.Round(domain.ProcessorTime.TotalSeconds, 3));

    internal static DomainReport From(DomainView domain) => new(
        domain.Id, domain.Name, domain.Uuid, domain.State == DomainState.Shutdown ? "shut down" : domain.State.ToString().ToLowerInvariant(), null,
        (ulong)domain.MemoryKiB / 1024, domain.Vcpus, Math.Round(domain.CpuNanoseconds / 1e9, 3));

    private static string Describe(DomainInformation domain) => domain.State switch
    {
        var state when state.HasFlag(DomainStates.Dying) => "dying",
        var state when state.HasFlag(DomainStates.ShutDown) => "shut down",
        var state when state.HasFlag(DomainStates.Paused) => "paused",
        var state when state.HasFlag(DomainStates.Running) => "running",
        var state when state.HasFlag(DomainStates.Blocked) => "blocked",
        _ => "runnable",
    };
}

/// <summary>A new domain, as <c>xeno create</c> tells it.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Uuid">Its UUID.</param>
/// <param name="Milliseconds">How long its creation took.</param>
internal sealed record CreationReport(int Id, Guid Uuid, double Milliseconds);

/// <summary>Writers made when this program is compiled.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(MachineReport))]
[JsonSerializable(typeof(IReadOnlyList<DomainReport>))]
[JsonSerializable(typeof(CreationReport))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(IReadOnlyList<DomainVcpus>))]
[JsonSerializable(typeof(IReadOnlyList<DiskView>))]
[JsonSerializable(typeof(IReadOnlyList<InterfaceView>))]
internal sealed partial class OutputJson : JsonSerializerContext;

/// <summary>The same for what is printed on a line each.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DomainEvent))]
internal sealed partial class EventJson : JsonSerializerContext;
