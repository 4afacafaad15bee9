// The balloon of a running Linux.
namespace Xenolith.MetalTests;

public sealed class LinuxMemoryTests
{
    /// <summary>Down to 500 MB and up again: each time Linux gets what it asked for, and what comes back can hold more than was left.</summary>
    [Fact]
    public void BalloonsDownAndUpInARunningLinux()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.OpenShell();
        machine.Run("M=/sys/devices/system/xen_memory/xen_memory0; reach() { echo $1 > $M/target_kb; until [ $(cat $M/info/current_kb) = $1 ]; do :; done; }");
        Assert.Contains("down 500000", machine.Run("reach 500000; echo down $(cat $M/info/current_kb)"), StringComparison.Ordinal);
        Assert.Contains("up 900000", machine.Run("reach 900000; echo up $(cat $M/info/current_kb)"), StringComparison.Ordinal);
        machine.Run("dd if=/dev/zero of=/tmp/fill bs=1M count=420 2>/dev/null");
        Log.AssertQuiet(machine);
    }
}
