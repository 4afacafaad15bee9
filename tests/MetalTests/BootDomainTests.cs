// Domains that boot modules ask for: beside Domain 0, without one, wrong ones.
using System.Linq;
using System.Text.RegularExpressions;

namespace Xenolith.MetalTests;

public sealed class BootDomainTests
{
    private const string SwitchKeys = "\u0001\u0001\u0001";

    /// <summary>Three stock kernels on one machine, each with a shell; what happens to one is none of the others' business.</summary>
    [Fact]
    public void RunBesideDomain0()
    {
        using BootedMachine machine = new(
            "--append", "console=hvc0 quiet", "--domain", "web memory=96 -- console=hvc0 quiet xenolith.name=web", "--domain", "mail memory=96 vcpus=2 -- console=hvc0 quiet xenolith.name=mail");
        machine.WaitFor("[boot] domain 'web': d1, memory 96 MiB, vcpus 1, built in ");
        machine.WaitFor("[boot] domain 'mail': d2, memory 96 MiB, vcpus 2, built in ");

        // All three have the same kernel.
        Assert.Equal(2, machine.Console.Split("kernel unpacked").Length);
        machine.OpenShell();
        WaitForAll(machine, "[web] web: userland after", "[mail] mail: userland after");

        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to domain 'web'");
        machine.Type("echo the answer is $((6 * 7))");
        machine.WaitFor("the answer is 42");

        // A line that another domain's came between is shown again from its start.
        machine.Type("seq 10000 13999; echo all of it");
        string flood = machine.WaitFor("] all of it");
        Assert.Equal(Enumerable.Range(10000, 4000), Regex.Matches(flood, @"\[web\] (1\d{4})").Select(line => int.Parse(line.Groups[1].ValueSpan)).Distinct());

        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to domain 'mail'");
        machine.Type("echo mail has $(grep -c ^processor /proc/cpuinfo) processors");
        machine.WaitFor("mail has 2 processors");
        machine.Type("poweroff");
        machine.WaitFor("[domain] d2 shuts down: power off");
        machine.WaitFor("input goes to Domain 0");
        Assert.Contains("Linux", machine.Run("uname"), StringComparison.Ordinal);

        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to domain 'web'");
        machine.Type("echo $((7 * 7)) is still here");
        machine.WaitFor("49 is still here");
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to the hypervisor");
        machine.Press("q");
        machine.WaitFor("[keys] d0 running, vcpus 1, memory ");
        machine.WaitFor("[keys] d1 'web' running, vcpus 1, memory 96 MiB");
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to Domain 0");
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
    }

    [Fact]
    public void RunWithoutDomain0UntilTheLastHasEnded()
    {
        using BootedMachine machine = new("--kernel", "none", "--domain", "alone memory=96 -- console=hvc0 quiet xenolith.name=alone", "--memory", "256");
        machine.WaitFor("[boot] domain 'alone': d1");
        machine.WaitFor("[boot] the domains start ");
        machine.WaitFor("[alone] alone:~# ");
        machine.Type("poweroff");
        machine.WaitFor("[domain] d1 shuts down: power off");
        machine.WaitFor("there is no Domain 0, and the last domain has ended");
        machine.WaitFor("[power] off");
        Assert.Equal(0, machine.WaitForExit());
    }

    /// <summary>A hundred domains from one module; each says the same, under its own name, and ends.</summary>
    [Fact]
    public void RunInNumbersFromOneModule()
    {
        using BootedMachine machine = new("--kernel", "none", "--domain", $"guest kernel={Guest("hello")} ramdisk=none memory=4 count=100", "--memory", "512");
        machine.WaitFor("[boot] domain 'guest100': d100, memory 4 MiB");
        machine.WaitFor("there is no Domain 0, and the last domain has ended");
        for (int number = 1; number <= 100; number++)
        {
            Assert.Contains($"[guest{number}] GUEST hello: Success\n", machine.Console, StringComparison.Ordinal);
        }
    }

    /// <summary>A domain that crashes is reported; the one beside it does not notice.</summary>
    [Fact]
    public void CrashAlone()
    {
        using BootedMachine machine = new(
            "--append", "console=hvc0 quiet", "--domain", $"attacker kernel={Guest("crash_jump")} ramdisk=none memory=8");
        machine.WaitFor("[domain] d1v0 crashed: exception without a handler");
        machine.OpenShell();
        Assert.Contains("Linux", machine.Run("uname"), StringComparison.Ordinal);
    }

    /// <summary>A domain that has ended is gone and its memory free, unless its module says otherwise.</summary>
    [Fact]
    public void AreDestroyedAtTheirEndOrKept()
    {
        string kernel = Guest("hello");
        using BootedMachine machine = new(
            "--append", "console=hvc0 quiet", "--domain", $"gone kernel={kernel} ramdisk=none memory=64", "--domain", $"kept kernel={kernel} ramdisk=none memory=64 on_reboot=preserve");
        machine.OpenShell();
        machine.Press(SwitchKeys);
        machine.WaitFor("input goes to the hypervisor");
        machine.Press("q");
        Assert.DoesNotContain("'gone'", machine.WaitFor("d2 'kept' shut down, vcpus 1, memory 64 MiB"), StringComparison.Ordinal);
        machine.Press("m");
        machine.WaitFor("frames free ");
        Assert.InRange(int.Parse(machine.WaitFor(" of "), System.Globalization.CultureInfo.InvariantCulture), 64 << 8, 100 << 8);
    }

    /// <summary>The domain comes back when it has ended; its kernel and RAM disk are still there.</summary>
    [Fact]
    public void AreStartedAgainWhenTheModuleSaysSo()
    {
        using BootedMachine machine = new(
            "--kernel", "none", "--memory", "384", "--domain", "again memory=96 on_reboot=restart -- console=hvc0 quiet xenolith.name=again", "--domain", $"other kernel={Guest("hello")} ramdisk=none memory=8");
        machine.WaitFor("kernels and RAM disks that stay for domains that may restart: ");
        machine.WaitFor("[boot] domain 'again': d1, memory 96 MiB");
        machine.WaitFor("again:~# ");
        machine.Type("reboot");
        machine.WaitFor("shuts down: reboot");
        machine.WaitFor("[boot] domain 'again': d");
        machine.WaitFor("again:~# ");
        machine.Type("poweroff");
        machine.WaitFor("there is no Domain 0, and the last domain has ended");
        Assert.Equal(0, machine.WaitForExit());
    }

    /// <summary>Each costs its own domain the start, in one sentence; the rest boots.</summary>
    [Fact]
    public void AreNotStartedWhenSomethingIsWrong()
    {
        string kernel = Guest("hello");
        string garbage = Repository.WriteFile("garbage", new byte[5000]);
        string noNotes = Repository.WriteFile("no-notes", UnitTests.Support.KernelFile.WithoutNotes());
        (string Module, string Sentence)[] modules =
        [
            ($"{garbage} domain=a", "domain 'a' is not started: its kernel cannot be used: it is neither a Linux bzImage nor an ELF file"),
            ($"{noNotes} domain=b", "domain 'b' is not started: its kernel cannot be used: it has no Xen ELF notes"),
            ($"{kernel} domain=c memory=lots", "domain 'c' is not started: 'memory=lots' cannot be used: it takes a number of MiB from 1 on"),
            ($"{kernel} domain=d memory=0", "domain 'd' is not started: 'memory=0' cannot be used: it takes a number of MiB from 1 on"),
            ($"{kernel} domain=e vcpus=33", "domain 'e' is not started: 'vcpus=33' cannot be used: it takes a number from 1 to 32"),
            ($"{kernel} domain=f colour=red", "domain 'f' is not started: 'colour=red' is no option of a domain (memory= vcpus="),
            ($"{kernel} domain=g memory=100000", "domain 'g' is not started: it needs 100"),
            ($"{kernel} domain=h memory=1", "domain 'h' is not started: memory=1 is too little; its kernel, RAM disk and tables need "),
            ($"{kernel} domain=i memory=8", "domain 'i': d1, memory 8 MiB, vcpus 1, built in "),
            ($"{kernel} domain=i memory=8", "domain 'i' is not started: another module has that name already"),
            ($"{kernel} domain=j/k", "domain 'j/k' is not started: 'domain=j/k' cannot be used: it takes a name"),
            ($"{garbage} ramdisk-of=nobody", "RAM disk of domain 'nobody' is not used: no module is the kernel of such a domain"),
        ];
        string[] arguments = [.. modules.SelectMany(module => new[] { "--module", module.Module }), "--append", "console=hvc0 quiet"];
        using BootedMachine machine = new(arguments);
        machine.WaitFor("dom0: userland after");
        Assert.All(modules, module => Assert.Contains($"[boot] {module.Sentence}", machine.Console, StringComparison.Ordinal));
        Assert.DoesNotContain("panic", machine.Console, StringComparison.Ordinal);
    }

    /// <summary>An amount that dom0_mem names is Domain 0's; without it, Domain 0 leaves the others what they need.</summary>
    [Theory]
    [InlineData("console=com1 dom0_mem=400M", "domain 'big' is not started: it needs 2")]
    [InlineData("console=com1", "domain 'big': d1, memory 200 MiB")]
    public void ShareTheMemoryWithDomain0(string options, string sentence)
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet", "--options", options, "--memory", "512", "--domain", $"big kernel={Guest("hello")} ramdisk=none memory=200");
        machine.WaitFor(sentence);
        machine.WaitFor("dom0: userland after");
    }

    /// <summary>In the machine's own time, of which a busy host takes nothing, and without the unpacking of the kernel.</summary>
    [Fact]
    public void SayTheirFirstLineSoon()
    {
        using BootedMachine machine = new("--icount", "--kernel", "none", "--domain", "web memory=128", "--memory", "512");
        machine.WaitFor("[boot] domain 'web': d1, memory 128 MiB, vcpus 1, built in ");
        Assert.InRange(Number(machine.WaitFor(" ms")), 0, 100);
        machine.WaitFor("[boot] domain 'web': first line ");
        int all = Number(machine.WaitFor(" ms after its building began, "));
        int own = Number(machine.WaitFor(" ms of them its kernel's own"));
        Assert.InRange(all, 1, 100);
        Assert.InRange(own, 1, all);
    }

    private static int Number(string text) => int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    private static string Guest(string name)
    {
        using System.Diagnostics.Process build = System.Diagnostics.Process.Start(Repository.Path("tools/build/guests"))!;
        build.WaitForExit();
        return Repository.Path($"out/guests/{name}.elf");
    }

    private static void WaitForAll(BootedMachine machine, params string[] texts)
    {
        foreach (string text in texts)
        {
            while (!machine.Console.Contains(text, StringComparison.Ordinal))
            {
                machine.Run("true");
            }
        }
    }
}
