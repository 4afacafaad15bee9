// xeno doctor.
using System.CommandLine;
using Xeno.Doctor;

namespace Xeno.Commands;

/// <summary>Says whether this machine will do, and why not; its exit status is 1 when it will not.</summary>
internal static class DoctorCommand
{
    internal static Command Make()
    {
        Command command = new("doctor", "Says whether this machine will do for Xenolith, also before it runs on it, and what to do where it will not.");
        command.SetAction(_ =>
        {
            Finding[] findings = [.. new Examination().Findings()];
            foreach (Finding finding in findings)
            {
                Console.WriteLine($"  {finding.Severity switch { Severity.Fine => "ok     ", Severity.Warning => "warning", _ => "PROBLEM" }}  {finding.Text}");
            }

            int problems = findings.Count(finding => finding.Severity == Severity.Problem);
            Console.WriteLine(problems == 0 ? "doctor: this machine will do" : $"doctor: this machine will not do: {problems} {(problems == 1 ? "problem" : "problems")}");
            return problems == 0 ? 0 : 1;
        });
        return command;
    }
}
