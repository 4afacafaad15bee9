// The disk image of ./x image: Debian, started by its own GRUB on the hypervisor, and the same Debian as a guest of Debian's own tools.
namespace Xenolith.MetalTests;

[Trait("Kind", "Image")]
public sealed class DiskImageTests
{
    private const string Prompt = "root@xenolith:~# ";

    private static string Image => Repository.Path("out/image/xenolith.img");

    /// <summary>GRUB starts the hypervisor and Debian on it, whose daemon runs; the guest of the recipe that lies there comes up and goes.</summary>
    [Fact]
    public void StartsByItsOwnGrubAndRunsAGuest()
    {
        using BootedMachine machine = new("--image", Image, "--memory", "2048", "--cpus", "2", "--network", "--qemu", "-snapshot");
        machine.WaitFor("Debian on Xenolith");
        machine.WaitFor(Prompt);

        // A shell that does not edit lines, and so writes nothing but what commands print.
        machine.Type("exec sh");
        machine.OpenShell("# ");
        machine.Run("systemctl is-active xenod");
        Assert.Contains("this machine will do", machine.Run("xeno doctor"), StringComparison.Ordinal);
        machine.Run("xeno create web.cfg >/dev/null");
        machine.Run("until xeno console --log web | grep -q 'web:~#'; do sleep 1; done");
        Assert.Contains("yes", machine.Run("xeno disk-list web"), StringComparison.Ordinal);
        Assert.Contains("10.87.0.", machine.Run("xeno net-list web"), StringComparison.Ordinal);
        machine.Run("xeno destroy web");
        Assert.DoesNotContain("web", machine.Run("xeno list"), StringComparison.Ordinal);
        machine.Type("systemctl poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }

    /// <summary>
    /// Debian's unmodified xl 4.17 makes a domain of the image's Debian, with its disk and an interface; talks to it at its console, takes memory
    /// from it, and destroys it.
    /// </summary>
    [Fact]
    public void DebiansXlRunsDebianWithADiskAndTheNetwork()
    {
        using BootedMachine machine = new(
            "--cpus", "2", "--memory", "2048", "--append", "console=hvc0 quiet", "--options", "console=com1 com1=115200,8n1 dom0_mem=768M",
            "--initrd", Repository.Path("out/tests/xl-amd64.gz"), "--disk", Image, "--qemu", "-snapshot");
        machine.OpenShell();
        machine.Run("/etc/init.d/xl");
        machine.Run("mkdir -p /mnt; mount -o ro /dev/vda1 /mnt && cp -L /mnt/vmlinuz /mnt/initrd.img /tmp/; umount /mnt");
        machine.WriteLines(
            "/tmp/debian.cfg", "name = \"debian\"", "memory = 512", "kernel = \"/tmp/vmlinuz\"", "ramdisk = \"/tmp/initrd.img\"", "root = \"/dev/xvda1 ro\"",
            "extra = \"console=hvc0\"", "disk = [ \"phy:/dev/vda,xvda,w\" ]", "vif = [ \"bridge=xenbr0\" ]");
        Assert.Matches(@"virt_caps +: pv", machine.Run("xl info"));
        machine.Run("xl create /tmp/debian.cfg");
        machine.Run("until grep -q 'root@xenolith:' /var/log/xen/console/guest-debian.log; do sleep 1; done");
        machine.Type("xl console debian; echo 'console is'' left'");
        machine.WaitFor(Prompt);
        InGuest(machine, "ip addr add 10.88.0.2/24 dev enX0 && ! systemctl is-active xenod");
        InGuest(machine, "echo kept >/root/note; sync; echo 3 >/proc/sys/vm/drop_caches; grep -q kept /root/note");
        machine.Press("\u001D");
        machine.WaitFor("console is left");
        Assert.Contains(" 0% packet loss", machine.Run("ping -c 2 10.88.0.2"), StringComparison.Ordinal);
        machine.Run("xl mem-set debian 400");
        machine.Run("until xl list debian | grep -q ' 400 '; do sleep 1; done");
        Assert.Contains("[dom0]", machine.Run("xl dmesg"), StringComparison.Ordinal);
        machine.Run("xl destroy debian");
        Assert.DoesNotContain("debian", machine.Run("xl list"), StringComparison.Ordinal);
        machine.Type("poweroff");
        machine.WaitForExit();
    }

    private static void InGuest(BootedMachine machine, string command)
    {
        machine.Type($"{command}; echo \"guest \"\"gave $?\"");
        machine.WaitFor("guest gave ");
        Assert.Equal("0", machine.WaitFor("\n"));
    }
}
