// The hypervisor's own keys, and its report when it panics.
namespace Xenolith.MetalTests;

public sealed class DebugKeyTests
{
    private const string SwitchKeys = "\u0001\u0001\u0001";

    [Fact]
    public void AnswerAfterCtrlAThreeTimes()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to the hypervisor");
        machine.Press("h");
        machine.WaitFor("d registers of all vcpus");
        machine.Press("q");
        machine.WaitFor("d0 running, vcpus 1");
        machine.Press("d");
        machine.WaitFor("rip 0x");
        machine.Press("t");
        machine.WaitFor("frames in use as L1");
        machine.Press("e");
        machine.WaitFor("virq 0");
        machine.Press("a");
        machine.WaitFor("d0v0 one-shot");
        machine.Press("m");
        machine.WaitFor("frames free");
        machine.Press("?");
        machine.WaitFor("no report on this key; h lists them");
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to Domain 0");
        Assert.Contains("Linux", machine.Run("uname"), StringComparison.Ordinal);
    }

    /// <summary>One or two are Domain 0's: its shell uses Ctrl-A to go to a line's begin.</summary>
    [Fact]
    public void LeaveFewerCtrlAsToDomain0()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();
        Assert.Contains(" 01 78 01 01 79 0a\n", machine.Run("echo \u0001x\u0001\u0001y | od -An -tx1"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("C", "[panic] asked for by the key C", "Fatal__Panic+0x")]
    [InlineData("X", "[panic] unexpected trap in the hypervisor", "DebugKeys__Quotient+0x")]
    public void EndTheHypervisorWithAReport(string key, string reason, string routine)
    {
        using BootedMachine machine = Begin("console=com1 noreboot");
        machine.Press(key);
        machine.WaitFor(reason);
        machine.WaitFor("build 0x");
        if (key == "X")
        {
            machine.WaitFor("vector 0 error code");
            machine.WaitFor("rip 0xe008:0xffff82d0");
        }

        machine.WaitFor(routine);
        machine.WaitFor("DebugKeys__Press+0x");
        machine.WaitFor("Interrupts__Handle+0x");
        machine.WaitFor("halted, as the option noreboot asks");
    }

    [Fact]
    public void EndTheHypervisorAndResetTheMachine()
    {
        using BootedMachine machine = Begin("console=com1");
        machine.Press("C");
        machine.WaitFor("[panic] asked for by the key C");
        machine.WaitFor("[power] reset");
        machine.WaitFor("[boot] Xenolith");
        machine.WaitFor("dom0: userland after");
    }

    private static BootedMachine Begin(string options)
    {
        BootedMachine machine = new("--append", "console=hvc0 quiet", "--options", options);
        machine.OpenShell();
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to the hypervisor");
        return machine;
    }
}
