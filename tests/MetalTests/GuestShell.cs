// The shell of a guest, at whose console a program of Domain 0's sits.
namespace Xenolith.MetalTests;

/// <summary>
/// Types commands at a guest's console until each has said how it ended, then leaves the console. busybox's sed would read a line ahead, and so
/// wait for one more; awk does not.
/// </summary>
internal sealed class GuestShell
{
    private readonly BootedMachine _machine;

    /// <param name="machine">Domain 0's shell is open there.</param>
    /// <param name="console">The command that attaches the guest's console; Ctrl-] ends it.</param>
    /// <param name="keys">Where the pipe is made through which the console is typed at.</param>
    internal GuestShell(BootedMachine machine, string console, string keys)
    {
        _machine = machine;
        machine.Run($$"""
            mkfifo {{keys}}; exec 4<>{{keys}}; guest() ( {{console}} <&4 | { awk '{ print } /guest gave [0-9]/ { exit }'; printf '\035' >&4; } & echo "$1; echo \"guest \"\"gave \$?\"" >&4; wait )
            """);
    }

    /// <summary>Runs a command in the guest, and gives what its console said; fails unless the command ends as it should.</summary>
    internal string Run(string command, int status = 0)
    {
        string said = _machine.Run($"guest '{command}'");
        Assert.True(said.Contains($"guest gave {status}", StringComparison.Ordinal), $"'{command}' in the guest:\n{said}");
        return said;
    }
}
