// xeno dmesg.
using System.CommandLine;

namespace Xeno.Commands;

/// <summary>The hypervisor's console ring.</summary>
internal static class DmesgCommand
{
    internal static Command Make()
    {
        Option<bool> clear = new("--clear", "-c") { Description = "empty the ring afterwards" };
        Command command = new("dmesg", "Prints what the hypervisor has said.") { clear };
        Direct.Run(command, (control, parsed) =>
        {
            Console.Out.Write(control.Machine.ReadConsole());
            if (parsed.GetValue(clear))
            {
                control.Machine.ClearConsole();
            }
        });
        return command;
    }
}
