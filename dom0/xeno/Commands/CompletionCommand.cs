// xeno completion.
using System.CommandLine;

namespace Xeno.Commands;

/// <summary>What a shell needs to complete xeno's commands, options and names of domains; xeno itself knows them.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        # completion of xeno for bash; in a running shell: eval "$(xeno completion bash)"
        _xeno() {
            local word=${COMP_WORDS[COMP_CWORD]}
            mapfile -t COMPREPLY < <(compgen -W "$(xeno "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "$word")
        }
        complete -o default -F _xeno xeno
        """;

    private const string Zsh = """
        # completion of xeno for zsh; in a running shell: eval "$(xeno completion zsh)"
        _xeno() {
            local -a found
            found=("${(@f)$(xeno "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
            if (( ${#found} )) && [[ -n ${found[1]} ]]; then compadd -a found; else _files; fi
        }
        compdef _xeno xeno
        """;

    internal static Command Make()
    {
        Argument<string> shell = new("shell") { Description = "bash or zsh" };
        shell.AcceptOnlyFromAmong("bash", "zsh");
        Command command = new("completion", "Prints a script that makes a shell complete xeno's commands and names of domains.") { shell };
        command.SetAction(parsed => Console.WriteLine(parsed.GetValue(shell) == "zsh" ? Zsh : Bash));
        return command;
    }
}
