// The tables that people see.
using Spectre.Console;
using Xeno;

namespace Xenolith.Toolstack.Tests.Commands;

public sealed class OutputTests
{
    /// <summary>The longest addresses that an interface has fit a terminal of 80 columns beside what else is told of it.</summary>
    [Fact]
    public void ATableThatFitsTheTerminalIsNotBroken()
    {
        const string Address = "fd58:656e:6f6c:0:216:3eff:fe76:39e3";
        Table table = Output.MakeTable(["Index", "Name", "Ethernet", "Addresses", "Network", "Used"], 0);
        Output.AddRow(table, "0", "vif2.0", "00:16:3e:76:39:e3", $"10.87.0.14 {Address}", "xenbr0", "yes");
        using StringWriter written = new();
        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(written) });
        terminal.Profile.Width = 80;
        terminal.Write(table);
        Assert.Contains(Address, written.ToString(), StringComparison.Ordinal);
    }
}
