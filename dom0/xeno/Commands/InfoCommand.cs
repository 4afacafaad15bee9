// xeno info.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;

namespace Xeno.Commands;

/// <summary>What the machine has.</summary>
internal static class InfoCommand
{
    internal static Command Make()
    {
        Option<bool> json = Direct.MakeJsonOption();
        Command command = new("info", "Tells what hypervisor, processors and memory this machine has.") { json };
        Direct.Run(command, (control, parsed) =>
        {
            MachineReport report = Read(control);
            if (parsed.GetValue(json))
            {
                Output.WriteJson(report);
            }
            else
            {
                Write(report);
            }
        });
        return command;
    }

    private static MachineReport Read(ControlInterface control)
    {
        MachineView machine = MachineView.Read(control);
        return new MachineReport(
            machine.Hypervisor, machine.ChangeSet, machine.Capabilities, machine.CommandLine, machine.Scheduler, machine.Processors, machine.Megahertz,
            (ulong)machine.TotalKiB / 1024, (ulong)machine.FreeKiB / 1024, machine.HasHardwareVirtualization, machine.Domains);
    }

    private static void Write(MachineReport report) => Output.WriteTable(
        ["", ""],
        [
            ["hypervisor", report.Hypervisor],
            ["built from", report.ChangeSet],
            ["runs", string.Join(' ', report.Capabilities)],
            ["options", report.CommandLine],
            ["scheduler", report.Scheduler],
            ["processors", report.Processors.ToString(CultureInfo.InvariantCulture)],
            ["MHz", report.Megahertz.ToString(CultureInfo.InvariantCulture)],
            ["memory, MiB", report.TotalMebibytes.ToString(CultureInfo.InvariantCulture)],
            ["free, MiB", report.FreeMebibytes.ToString(CultureInfo.InvariantCulture)],
            ["hardware virtualization", report.HasHardwareVirtualization ? "yes" : "no"],
            ["domains", report.Domains.ToString(CultureInfo.InvariantCulture)],
        ]);
}
