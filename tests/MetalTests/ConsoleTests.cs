// What the hypervisor says while it boots, and where.
namespace Xenolith.MetalTests;

public sealed class ConsoleTests
{
    [Fact]
    public void BootTellsWhatTheMachineHas()
    {
        using BootedMachine machine = new("--machine", "q35", "--cpus", "2", "--cpu", "max", "--append", "console=hvc0 quiet");
        string[] expected =
        [
            "[boot] Xenolith", "[boot] options: console=com1 com1=115200,8n1\n", "[e820] 0x0000100000 to 0x", " KiB RAM\n", " KiB reserved\n",
            "[boot] modules 2, together ", "[acpi] RSDP at 0x", ", MADT, FADT, HPET, MCFG\n", "[pci] configuration space in memory at 0x",
            "[mm] RAM ", " KiB\n", "[cpu] QEMU TCG CPU version ", "[cpu] in use: NX SMEP FSGSBASE XSAVE",
            "[cpu] SMAP stays off: QEMU's translator", "[time] TSC ", " MHz; APIC timer ", "[cpu] processors 2, in use 2\n",
            "[irq] local APIC at 0xfee00000, IO-APICs 1 with 24 lines\n", "[boot] kernel unpacked, ", " ms\n", "[mm] of ", " KiB of RAM, Domain 0 cannot have ",
            "[dom0] memory ", "[boot] Domain 0 starts ", " ms after the hypervisor\n",
        ];
        Assert.All(expected, text => machine.WaitFor(text));

        // From the hypervisor's first line on, all of it fits on a screen of 80 by 25 and each line says where it comes from.
        string console = machine.Console;
        string report = console[console.IndexOf("[boot] Xenolith", StringComparison.Ordinal)..(console.IndexOf(" ms after the hypervisor\n", StringComparison.Ordinal) + 24)];
        string[] lines = report.Split('\n');
        Assert.InRange(lines.Length, 15, 25);
        Assert.All(lines, line => Assert.Matches(@"^\[[a-z0-9]+\] \S", line));
    }

    [Fact]
    public void LogLevelSilencesInformation()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet", "--options", "console=com1 loglvl=warning frobnicate=1");
        machine.WaitFor("[boot] unknown option ignored: frobnicate\n");
        machine.OpenShell();
        Assert.DoesNotContain("[cpu]", machine.Console, StringComparison.Ordinal);
        Assert.DoesNotContain("[dom0]", machine.Console, StringComparison.Ordinal);
    }

    /// <summary>More than the transmit buffer holds, while the ring keeps the last of it.</summary>
    [Fact]
    public void LosesNothingOfALongOutput()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();
        string output = machine.Run("seq 1 20000");
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(20000, lines.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal($"{i + 1}", lines[i]);
        }
    }

    [Fact]
    public void UsesTheSecondSerialPort()
    {
        // QEMU's first port goes to standard output; the second one is made standard error here, which the test reads as well.
        using BootedMachine machine = new("--kernel", "none", "--options", "console=com2 com2=57600 noreboot", "--qemu", "-serial file:/dev/stderr");
        machine.WaitFor("[boot] options: console=com2 com2=57600");
        machine.WaitFor("there is no boot module");
    }
}
