// Debian's own kernel as Domain 0: it boots everywhere, ends as asked, and finds what it should.
namespace Xenolith.MetalTests;

public sealed class LinuxBootTests
{
    [Theory]
    [InlineData("max", "pc", 1024, 1)]
    [InlineData("max,-smap", "pc", 1024, 1)]
    [InlineData("qemu64", "pc", 1024, 1)]
    [InlineData("EPYC", "q35", 1024, 1)]
    [InlineData("max", "q35", 6144, 4)]
    [InlineData("max", "pc", 256, 2)]
    [InlineData("qemu64", "q35", 256, 4)]
    [InlineData("EPYC", "pc", 8192, 3)]
    [InlineData("max", "pc", 16384, 1)]
    [InlineData("max", "pc", 1024, 1, "rt-amd64")]
    public void BootsToUserlandAndSwitchesOff(string cpu, string machineType, int memory, int cpus, string flavour = "amd64")
    {
        using BootedMachine machine = new(
            "--cpu", cpu, "--machine", machineType, "--memory", $"{memory}", "--cpus", $"{cpus}", "--append", "console=hvc0", "--flavour", flavour);
        machine.WaitFor($"[cpu] processors {cpus}, in use {cpus}");
        machine.WaitFor("dom0: userland after");
        machine.OpenShell();
        Assert.Contains("xen", machine.Run("cat /sys/hypervisor/type"), StringComparison.Ordinal);
        Log.AssertQuiet(machine);
        machine.Type("poweroff");
        machine.WaitFor("[power] off, by ACPI");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }

    [Theory]
    [InlineData("-machine hpet=off", "measured for 10 ms against the ACPI PM timer")]
    [InlineData("-machine graphics=off", "measured for 10 ms against the HPET")]
    public void MeasuresItsClocksAgainstWhatThereIs(string qemu, string sentence)
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet", "--qemu", qemu);
        machine.WaitFor(sentence);
        machine.WaitFor("dom0: userland after");
    }

    [Fact]
    public void Reboots()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();
        machine.Type("reboot");
        machine.WaitFor("[power] reset");
        machine.OpenShell();
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
    }

    [Theory]
    [InlineData(1024, 10 << 10)]
    [InlineData(8192, 82 << 10)]
    public void KeepsLittleMemoryFromDomain0(int memory, int mostKibibytes)
    {
        using BootedMachine machine = new("--memory", $"{memory}", "--append", "console=hvc0 quiet");
        machine.WaitFor("Domain 0 cannot have ");
        int kept = int.Parse(machine.WaitFor(" KiB"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(kept, 1, mostKibibytes);
        machine.OpenShell();

        // What Domain 0 counts is the machine's RAM without what the hypervisor keeps.
        string pages = machine.Run("cat /sys/devices/system/xen_memory/xen_memory0/info/current_kb");
        Assert.InRange(int.Parse(pages, System.Globalization.CultureInfo.InvariantCulture), (memory << 10) - mostKibibytes - (4 << 10), memory << 10);
    }

    [Fact]
    public void TellsItsVersionInSysHypervisor()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();

        // Without performance counters for guests, pmu/ cannot be read on any hypervisor.
        string all = machine.Run("cd /sys/hypervisor; for file in $(find . -type f ! -path './pmu/*' | sort); do echo \"$file = $(cat $file 2>&1)\"; done");
        string[] expected =
        [
            "./type = xen", "./version/major = 4", "./version/minor = 17", "./version/extra = .7-xenolith", "./guest_type = PV",
            "./uuid = 00000000-0000-0000-0000-000000000000", "./properties/capabilities = xen-3.0-x86_64 ", "./properties/changeset = xenolith",
            "./properties/pagesize = 1000", "./properties/virtual_start = ffff800000000000", "./properties/features = ",
            "./compilation/compiler = ilc", "./compilation/compiled_by = ", "./compilation/compile_date = ", "./properties/buildid = ",
        ];
        Assert.All(expected, line => Assert.Contains("\n" + line, "\n" + all, StringComparison.Ordinal));
        Assert.DoesNotContain("cat: ", all, StringComparison.Ordinal);
    }
}

public sealed class LinuxLoadTests
{
    [Fact]
    public void KeepsVectorRegistersAcrossCallsFaultsAndSignals() => RunsWithoutWarning("/tests/fpu 6 100", "fpu: ok, AVX", "--cpu", "max");

    [Fact]
    public void KeepsVectorRegistersOfAnOldProcessor() => RunsWithoutWarning("/tests/fpu 6 100", "fpu: ok, SSE", "--cpu", "qemu64");

    [Fact]
    public void CarriesAMixedLoad() => RunsWithoutWarning("/tests/load 2500 && /tests/fpu 6 20", "load: ok");

    private static void RunsWithoutWarning(string command, string answer, params string[] arguments)
    {
        using BootedMachine machine = new([.. arguments, "--append", "console=hvc0", "--initrd", Repository.Path("out/tests/initrd-amd64.gz")]);
        machine.OpenShell();
        Assert.Contains(answer, machine.Run(command), StringComparison.Ordinal);
        Log.AssertQuiet(machine);
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }
}

/// <summary>What must not stand in the kernel's log or in the hypervisor's.</summary>
internal static class Log
{
    internal static void AssertQuiet(BootedMachine machine)
        => Assert.Equal(
            string.Empty,
            machine.Run("dmesg | grep -E 'WARNING: CPU|BUG:|Oops|Call Trace|lockup|rcu.*(stall|self-detected)|Unexpected|Bad page|corrupt' || true").Trim());

    internal static void AssertSound(BootedMachine machine)
    {
        Assert.DoesNotContain("[panic]", machine.Console, StringComparison.Ordinal);
        Assert.DoesNotContain("crashed", machine.Console, StringComparison.Ordinal);
    }
}
