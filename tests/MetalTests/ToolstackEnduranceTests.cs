// The daemon's death at any point, and domains made again and again, on the running machine.
namespace Xenolith.MetalTests;

public sealed class ToolstackEnduranceTests
{
    /// <summary>
    /// The daemon is killed in each step of a Debian domain's life; the one after it finds things as they are, each step can be repeated, and
    /// nothing is left. Then domains are made and destroyed, and Domain 0 holds no more than before.
    /// </summary>
    [Fact]
    public void TheDaemonsDeathLosesNothingAndLeavesNothing() => Endure("ours", [1], 10);

    /// <summary>The same for longer, with other points of death, and by the same programs on real Xen.</summary>
    [Theory]
    [Trait("Kind", "Long")]
    [InlineData("ours")]
    [InlineData("xen")]
    public void TheDaemonsDeathLosesNothingAndLeavesNothingInTheLongRun(string hypervisor) => Endure(hypervisor, [2, 3, 4, 5, 6], 200);

    private static void Endure(string hypervisor, int[] seeds, int cycles)
    {
        const int TimeoutSeconds = 3600;
        using BootedMachine machine = new(
            TimeoutSeconds,
            [
                .. BootedMachine.ForHypervisor(hypervisor), "--network", "--append", "console=hvc0 quiet", "--options", "console=com1 com1=115200,8n1 dom0_mem=640M",
                "--initrd", Repository.Path("out/tests/toolstack-amd64.gz"),
            ]);
        machine.OpenShell();
        machine.Run("/etc/init.d/toolstack; truncate -s 16M /var/lib/xenolith/disks/web.img");
        foreach (int seed in seeds)
        {
            Assert.Contains("kills: ok", machine.Run($"/tests/kills {seed}"), StringComparison.Ordinal);
        }

        Assert.Contains($"cycles: ok, {cycles} cycles", machine.Run($"/tests/cycles {cycles}"), StringComparison.Ordinal);
        machine.Type("poweroff");
        machine.WaitForExit();
    }
}
