// Domain 0 on several processors.
namespace Xenolith.MetalTests;

public sealed class LinuxProcessorTests
{
    [Fact]
    public void TakesProcessorsOfflineAndOnlineAgain()
    {
        using BootedMachine machine = Boot(4);
        Assert.Contains("0-3\n", machine.Run("cat /sys/devices/system/cpu/online"), StringComparison.Ordinal);
        machine.Run("for id in 1 2 3; do echo 0 > /sys/devices/system/cpu/cpu$id/online || exit; done");
        Assert.Contains("\n0\n", "\n" + machine.Run("cat /sys/devices/system/cpu/online"), StringComparison.Ordinal);
        machine.Run("for id in 1 2 3; do echo 1 > /sys/devices/system/cpu/cpu$id/online || exit; done");
        Assert.Contains("0-3\n", machine.Run("cat /sys/devices/system/cpu/online"), StringComparison.Ordinal);
        machine.Run("for id in 0 1 2 3; do taskset -c $id sh -c 'busybox true' || exit; done");
        EndsWell(machine);
    }

    [Fact]
    public void DropsTranslationsOnEveryProcessor()
    {
        using BootedMachine machine = Boot(2);
        Assert.Contains("translations: ok", machine.Run("/tests/translations 150"), StringComparison.Ordinal);
        EndsWell(machine);
    }

    [Fact]
    public void CarriesALoadOnAllProcessors()
    {
        using BootedMachine machine = Boot(2);
        Assert.Contains("load: ok", machine.Run("/tests/load 1500"), StringComparison.Ordinal);
        Assert.Contains("fpu: ok", machine.Run("/tests/fpu 6 40"), StringComparison.Ordinal);
        EndsWell(machine);
    }

    /// <summary>A build that checks where its lock is held, and waits for random times where processors meet.</summary>
    [Fact]
    public void CarriesALoadWhileProcessorsMeetAtRandomTimes()
    {
        using BootedMachine machine = Boot(4, "--hypervisor", Repository.Path("out/stress/xenolith"));
        Assert.Contains("load: ok", machine.Run("/tests/load 40"), StringComparison.Ordinal);
        Assert.Contains("translations: ok", machine.Run("/tests/translations 10"), StringComparison.Ordinal);
        machine.Run("for id in 1 2 3; do echo 0 > /sys/devices/system/cpu/cpu$id/online || exit; done");
        EndsWell(machine);
    }

    [Fact]
    public void UsesNoMoreProcessorsThanItIsTold()
    {
        using BootedMachine machine = new("--cpus", "4", "--options", "console=com1 maxcpus=2 dom0_max_vcpus=3", "--append", "console=hvc0 quiet");
        machine.WaitFor("[cpu] processors 4, in use 2");
        machine.OpenShell();
        Assert.Contains("0-2\n", machine.Run("cat /sys/devices/system/cpu/online"), StringComparison.Ordinal);
        machine.Run("for id in 0 1 2; do taskset -c $id sh -c 'busybox true' || exit; done");
        EndsWell(machine);
    }

    private static BootedMachine Boot(int processors, params string[] more)
    {
        string initrd = Repository.Path("out/tests/initrd-amd64.gz");
        BootedMachine machine = new(["--cpus", $"{processors}", "--append", "console=hvc0 quiet", "--initrd", initrd, .. more]);
        machine.OpenShell();
        return machine;
    }

    private static void EndsWell(BootedMachine machine)
    {
        Log.AssertQuiet(machine);
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }
}
