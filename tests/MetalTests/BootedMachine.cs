// A machine in QEMU, as ./x boot starts it, and its console.
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Xenolith.MetalTests;

/// <summary>Waits for what the console says; a test never waits for time to pass. The timeout only ends a machine that hangs, on however slow a host.</summary>
internal sealed class BootedMachine : IDisposable
{
    private const int UsualTimeoutSeconds = 600;

    /// <summary>Bytes that may be typed ahead: real Xen drops what is more than 128 before Domain 0 reads.</summary>
    private const int TypedAhead = 110;

    private readonly Process _process;
    private readonly StringBuilder _console = new();
    private readonly List<string> _arguments;
    private readonly Task _reader;
    private int _taken;
    private int _seen;
    private int _commands;

    internal BootedMachine(params string[] arguments)
        : this(UsualTimeoutSeconds, arguments)
    {
    }

    internal BootedMachine(int timeoutSeconds, params string[] arguments)
    {
        _arguments = [.. arguments, "--timeout", timeoutSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture)];
        ProcessStartInfo start = new(Repository.Path("x")) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("boot");
        _arguments.ForEach(start.ArgumentList.Add);
        int processors = _arguments.IndexOf("--cpus");
        _taken = HostProcessors.Take(processors < 0 ? 1 : int.Parse(_arguments[processors + 1], System.Globalization.CultureInfo.InvariantCulture));
        _process = Process.Start(start)!;
        _reader = Task.WhenAll(Task.Run(() => Read(_process.StandardOutput)), Task.Run(() => Read(_process.StandardError)));
    }

    /// <summary>
    /// Arguments that boot <c>ours</c>, or real <c>xen</c>, which does not keep the wide registers of Domain 0's processes under QEMU's translator; the
    /// C library copies memory with them.
    /// </summary>
    internal static string[] ForHypervisor(string name) => name == "xen" ? ["--hypervisor", "xen", "--cpu", "max,-smap,-xsave"] : [];

    /// <summary>The command that repeats this machine.</summary>
    internal string Command
    {
        get
        {
            StringBuilder command = new("./x boot");
            foreach (string argument in _arguments)
            {
                command.Append(' ').Append(argument.Contains(' ', StringComparison.Ordinal) ? $"\"{argument}\"" : argument);
            }

            return command.ToString();
        }
    }

    /// <summary>All that the console said.</summary>
    internal string Console
    {
        get
        {
            lock (_console)
            {
                return _console.ToString();
            }
        }
    }

    /// <summary>Waits for a text after what has been waited for before; fails when the machine ends without saying it.</summary>
    internal string WaitFor(string text)
    {
        lock (_console)
        {
            while (true)
            {
                string console = _console.ToString();
                int at = console.IndexOf(text, _seen, StringComparison.Ordinal);
                if (at >= 0)
                {
                    string before = console[_seen..at];
                    _seen = at + text.Length;
                    return before;
                }

                if (_reader.IsCompleted)
                {
                    Assert.Fail($"the machine ended without saying '{text}'\nagain: {Command}\n{Tail(console)}");
                }

                Monitor.Wait(_console, 1000);
            }
        }
    }

    /// <summary>Types a line.</summary>
    internal void Type(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>Types keys without an end of line.</summary>
    internal void Press(string keys)
    {
        _process.StandardInput.Write(keys);
        _process.StandardInput.Flush();
    }

    /// <summary>
    /// Waits for Domain 0's shell and makes it quiet: no echo, no prompt, no line editing, no kernel messages. Then what the console
    /// says is what commands print.
    /// </summary>
    /// <param name="prompt">What the shell says when it is there.</param>
    internal void OpenShell(string prompt = "dom0:~#")
    {
        WaitFor(prompt);
        Type("stty -echo; dmesg -n 1; PS1=; echo 'shell is'' open'");
        WaitFor("\nshell is open\n");
    }

    /// <summary>Runs a shell command in Domain 0, after <see cref="OpenShell"/>, and gives what it printed; fails unless it succeeds.</summary>
    internal string Run(string command)
    {
        _commands++;
        string line = $"{command}; status=$?; echo; echo \"command {_commands} gave $status\"";
        Type(line.Length < TypedAhead ? line : Gathered(line));
        string output = WaitFor($"\ncommand {_commands} gave ");
        string status = WaitFor("\n");
        Assert.True(status == "0", $"'{command}' failed with {status}\nagain: {Command}\n{output}");
        return output;
    }

    /// <summary>Makes a file in Domain 0, after <see cref="OpenShell"/>.</summary>
    internal void WriteLines(string path, params string[] lines) => Run($"printf '%s\\n' {string.Join(' ', lines.Select(line => $"'{line}'"))} >{path}");

    /// <summary>Waits for the machine's own end; gives QEMU's exit status.</summary>
    internal int WaitForExit()
    {
        _process.WaitForExit();
        _reader.Wait();
        Assert.True(_process.ExitCode != 124, $"the machine did not end by itself\nagain: {Command}\n{Tail(Console)}");
        return _process.ExitCode;
    }

    /// <summary>Types a long line in pieces, each when the one before has been read; gives the short line that runs it.</summary>
    private string Gathered(string line)
    {
        Type("typed=");
        foreach (char[] piece in line.Chunk(TypedAhead / 3))
        {
            string quoted = new string(piece).Replace("'", @"'\''", StringComparison.Ordinal);
            Type($"typed=\"$typed\"'{quoted}'; echo; echo typed");
            WaitFor("\ntyped\n");
        }

        return "eval \"$typed\"";
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        HostProcessors.Give(Interlocked.Exchange(ref _taken, 0));
    }

    private static string Tail(string console) => console[Math.Max(0, console.Length - 2500)..];

    private async Task Read(System.IO.StreamReader stream)
    {
        char[] buffer = new char[4096];
        int count;
        while ((count = await stream.ReadAsync(buffer)) > 0)
        {
            lock (_console)
            {
                // Carriage returns depend on who wrote the line; nothing here does.
                _console.Append(new string(buffer, 0, count).Replace("\r", string.Empty, StringComparison.Ordinal));
                Monitor.PulseAll(_console);
            }
        }

        lock (_console)
        {
            Monitor.PulseAll(_console);
        }
    }
}
