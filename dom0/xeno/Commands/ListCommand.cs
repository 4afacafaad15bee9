// xeno list.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>All domains, with their names where a daemon knows them.</summary>
internal static class ListCommand
{
    internal static Command Make()
    {
        Option<bool> json = Direct.MakeJsonOption();
        Option<bool> uuids = new("--uuid", "-u") { Description = "with their uuids, which make wide lines" };
        Command command = new("list", "Lists the domains.") { json, uuids };
        command.SetAction((parsed, cancellation) => Daemon.IsThere
            ? Daemon.DoAsync(async daemon =>
            {
                Write([.. (await daemon.ListAsync(cancellation)).Select(DomainReport.From)], parsed.GetValue(json), parsed.GetValue(uuids));
                return 0;
            })
            : Direct.DoAsync(control =>
            {
                Write([.. control.Domains.List().Select(DomainReport.From)], parsed.GetValue(json), parsed.GetValue(uuids));
                return Task.FromResult(0);
            }));
        return command;
    }

    private static void Write(DomainReport[] domains, bool isJson, bool hasUuids)
    {
        if (isJson)
        {
            Output.WriteJson(domains);
            return;
        }

        IEnumerable<string[]> rows = domains.Select(domain => new[]
        {
            domain.Id?.ToString(CultureInfo.InvariantCulture) ?? "-",
            domain.Name ?? "-",
            domain.Mebibytes.ToString(CultureInfo.InvariantCulture),
            domain.Vcpus.ToString(CultureInfo.InvariantCulture),
            domain.ShutdownReason is null ? domain.State : $"{domain.State} ({domain.ShutdownReason})",
            domain.Seconds.ToString("F1", CultureInfo.InvariantCulture),
            domain.Uuid.ToString(),
        });
        string[] columns = ["Id", "Name", "MiB", "Vcpus", "State", "Seconds", "UUID"];
        int shown = hasUuids ? columns.Length : columns.Length - 1;
        Output.WriteTable(columns[..shown], rows.Select(row => row[..shown]), 0, 2, 3, 5);
    }
}
