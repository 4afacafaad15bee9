// xeno list.
using System.CommandLine;
using System.Globalization;

namespace Xeno.Commands;

/// <summary>All domains.</summary>
internal static class ListCommand
{
    internal static Command Make()
    {
        Option<bool> json = Direct.MakeJsonOption();
        Command command = new("list", "Lists the domains.") { json };
        Direct.Run(command, (control, parsed) =>
        {
            DomainReport[] domains = [.. control.Domains.List().Select(DomainReport.From)];
            if (parsed.GetValue(json))
            {
                Output.WriteJson(domains);
                return;
            }

            IEnumerable<string[]> rows = domains.Select(domain => new[]
            {
                domain.Id.ToString(CultureInfo.InvariantCulture),
                domain.Mebibytes.ToString(CultureInfo.InvariantCulture),
                domain.Vcpus.ToString(CultureInfo.InvariantCulture),
                domain.ShutdownReason is null ? domain.State : $"{domain.State} ({domain.ShutdownReason})",
                domain.Seconds.ToString("F1", CultureInfo.InvariantCulture),
                domain.Uuid.ToString(),
            });
            Output.WriteTable(["Id", "MiB", "Vcpus", "State", "Seconds", "UUID"], rows, 0, 1, 2, 4);
        });
        return command;
    }
}
