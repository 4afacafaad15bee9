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
        Assert.Contains("domains: ok, 40 cycles", machine.Run("/tests/domains 40"), StringComparison.Ordinal);
        Assert.Contains("domains: ok, 3 cycles", machine.Run("/tests/domains 3 8192"), StringComparison.Ordinal);
        machine.Type("poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }
}
