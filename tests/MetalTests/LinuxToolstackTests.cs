// A toolstack in Domain 0 on the running machine.
namespace Xenolith.MetalTests;

public sealed class LinuxToolstackTests
{
    /// <summary>Domains are made, filled, run and destroyed by a program of Domain 0; each did its work, and nothing of them is left.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void MakesAndDestroysDomains(int processors)
    {
        using BootedMachine machine = new(
            "--cpus", $"{processors}", "--append", "console=hvc0 quiet", "--options", "console=com1 dom0_mem=-128M",
            "--initrd", Repository.Path("out/tests/initrd-amd64.gz"));
        machine.OpenShell();
        machine.Run("[ -e /dev/xen/privcmd ] || modprobe xen-privcmd");
        Assert.Contains("domains: ok, 300 cycles", machine.Run("/tests/domains 300"), StringComparison.Ordinal);
        Assert.Contains("domains: ok, 3 cycles", machine.Run("/tests/domains 3 8192"), StringComparison.Ordinal);
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }

    /// <summary>
    /// xeno makes domains of a micro-guest, which checks what it finds at its start, and of Debian's kernel, serves their consoles and
    /// ends them; the memory is free again. The same program does so on real Xen.
    /// </summary>
    [Theory]
    [InlineData("ours", 1)]
    [InlineData("ours", 2)]
    [InlineData("xen", 1)]
    public void MakesRunsAndEndsDomainsThroughTheLibrary(string hypervisor, int processors)
    {
        using BootedMachine machine = new(
        [
            .. BootedMachine.ForHypervisor(hypervisor), "--cpus", $"{processors}", "--append", "console=hvc0 quiet", "--options", "console=com1 com1=115200,8n1 dom0_mem=640M",
            "--initrd", Repository.Path("out/tests/toolstack-amd64.gz"),
        ]);
        machine.OpenShell();
        machine.Run("modprobe xen-privcmd; modprobe xen-evtchn");
        Assert.Contains("xen-3.0-x86_64", machine.Run("xeno info"), StringComparison.Ordinal);

        // The guest ends by asking for a reboot, which xeno tells with its exit status.
        const string Hello = "xeno create /tests/hello.cfg --console || [ $? -eq 1 ]";
        machine.Run(Hello);
        string free = FreeMemory(machine);
        for (int cycle = 0; cycle < 3; cycle++)
        {
            string said = machine.Run(Hello);
            Assert.Contains("GUEST hello: Success", said, StringComparison.Ordinal);
            Assert.Contains("has shut down: Reboot", said, StringComparison.Ordinal);
        }

        machine.Type("xeno create /tests/plain.cfg --console &");
        machine.WaitFor("domain 'web' is number ");
        string number = machine.WaitFor(",");
        machine.WaitFor("web: userland after");
        machine.Run($"xeno pause {number}");
        string[] row = Row(machine.Run("xeno list"), number);
        Assert.Equal((number, "128", "2", "paused"), (row[0], row[2], row[3], row[4]));
        machine.Run($"xeno unpause {number}");
        Assert.NotEqual("paused", Row(machine.Run("xeno list"), number)[4]);
        machine.Type($"xeno destroy {number}");
        machine.WaitFor($"domain {number} is gone");
        machine.Run("wait");
        Assert.Equal(free, FreeMemory(machine));
        machine.Type("poweroff");
        machine.WaitForExit();
    }

    /// <summary>
    /// The daemon makes a domain of Debian's kernel, which finds its xenstore and is asked by it to power off; keeps what it has said; goes on
    /// with it after it was killed; starts a micro-guest again that reboots; and leaves nothing behind. The same programs do so on real Xen.
    /// </summary>
    [Theory]
    [InlineData("ours")]
    [InlineData("xen")]
    public void TheDaemonMakesRunsAndEndsDomains(string hypervisor)
    {
        using BootedMachine machine = new(
        [
            .. BootedMachine.ForHypervisor(hypervisor), "--cpus", "2", "--append", "console=hvc0 quiet", "--options", "console=com1 com1=115200,8n1 dom0_mem=640M",
            "--initrd", Repository.Path("out/tests/toolstack-amd64.gz"),
        ]);
        machine.OpenShell();
        StartDaemon(machine);
        string free = FreeMemory(machine);
        machine.Run("xeno create /tests/plain.cfg");
        WaitForConsole(machine, "web", "web: userland after");
        Assert.Equal("web", Row(machine.Run("xeno list"), "1")[1]);
        machine.Run("xeno pause web");
        Assert.Equal("paused", Row(machine.Run("xeno list"), "1")[4]);
        machine.Run("xeno unpause web");
        string vcpus = machine.Run("xeno vcpu-list web --json | tr -d ' \\n'");
        if (hypervisor == "ours")
        {
            Assert.Matches("\"stolenNanoseconds\":[1-9][0-9]*,\"hypercalls\":[1-9][0-9]{3,},\"pageFaults\":[1-9][0-9]+,\"upcalls\":[1-9][0-9]*", vcpus);
        }
        else
        {
            Assert.DoesNotContain("hypercalls", vcpus, StringComparison.Ordinal);
        }

        machine.Run("kill -9 $(pidof xenod); rm /tmp/xenod.log");
        StartDaemon(machine);
        Assert.Contains("web: userland after", machine.Run("xeno console --log web"), StringComparison.Ordinal);
        machine.Run("xeno shutdown --wait web");
        Assert.DoesNotContain("web", machine.Run("xeno list"), StringComparison.Ordinal);
        Assert.Equal(free, FreeMemory(machine));

        machine.Run("xeno create /tests/hello.cfg");
        machine.Run("until [ $(xeno console --log hello | grep -c Success) -ge 2 ]; do sleep 1; done");
        machine.Run("xeno destroy hello");
        Assert.Equal(free, FreeMemory(machine));
        machine.Type("poweroff");
        machine.WaitForExit();
    }

    private static void StartDaemon(BootedMachine machine)
    {
        // Not a job of the shell's: the shell outlives its death.
        machine.Run("setsid xenod </dev/null >/tmp/xenod.log 2>&1 & until grep -q listens /tmp/xenod.log; do sleep 1; done");
    }

    private static void WaitForConsole(BootedMachine machine, string domain, string text)
        => machine.Run($"until xeno console --log {domain} | grep -q '{text}'; do sleep 1; done");

    /// <summary>What xeno says is free; the shell's own words on jobs that have ended do not count.</summary>
    private static string FreeMemory(BootedMachine machine)
        => Assert.Single(machine.Run("xeno info --json").Split('\n'), line => line.Contains("freeMebibytes", StringComparison.Ordinal));

    private static string[] Row(string list, string number)
    {
        foreach (string line in list.Split('\n'))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 3 && words[0] == number)
            {
                return words;
            }
        }

        throw new InvalidOperationException($"domain {number} is not listed:\n{list}");
    }
}
