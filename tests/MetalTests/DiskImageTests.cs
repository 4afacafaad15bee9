// The disk image of ./x image: Debian on the hypervisor, started by GRUB, with the daemon as its service.
using System.Linq;
using System.Text.RegularExpressions;

namespace Xenolith.MetalTests;

public sealed partial class DiskImageTests
{
    private const int Timeout = 600;

    /// <summary>
    /// A guest of Debian's kernel with a disk and the network, on the image's own Domain 0: its data, its address, what its firewall keeps it from
    /// and lets through, devices that come and go, a daemon that is killed meanwhile; at the end nothing of it is left.
    /// </summary>
    [Fact]
    public void AGuestHasADiskAndTheNetworkAndLeavesNothing()
    {
        using BootedMachine machine = new(Timeout, "--image", Repository.Path("out/image/xenolith.img"), "--memory", "2048", "--cpus", "2", "--network", "--qemu", "-snapshot");
        machine.WaitFor("Debian on Xenolith");
        machine.OpenShell("root@xenolith:~# ");
        machine.Run("bind 'set enable-bracketed-paste off'; set +m; systemctl start xenod");
        DefineGuest(machine);
        Assert.Contains("this machine will do", machine.Run("xeno doctor"), StringComparison.Ordinal);
        string free = machine.Run("xeno info --json | grep freeMebibytes");

        machine.Run("xeno create web.cfg");
        machine.Run("until xeno console --log web | grep -q 'web:~#'; do sleep 1; done");
        Assert.Contains("yes", machine.Run("xeno disk-list web"), StringComparison.Ordinal);
        string address = Address().Match(machine.Run("xeno net-list web")).Value;
        Assert.Contains($"inet {address}/24", InGuest(machine, "ip addr show eth0"), StringComparison.Ordinal);
        InGuest(machine, "mount /dev/xvda /mnt && dd if=/dev/urandom of=/mnt/data bs=64k count=32 2>/dev/null && md5sum /mnt/data >/root/sum && sync");

        // Domain 0 and, through it, the network behind the machine; under its own addresses only.
        Assert.Contains(" 0% packet loss", InGuest(machine, "ping -c 2 10.87.0.1"), StringComparison.Ordinal);
        Assert.Contains("100% packet loss", InGuest(machine, "ip addr add 10.87.0.250/24 dev eth0; ping -c 2 -W 1 -I 10.87.0.250 10.87.0.1", 1), StringComparison.Ordinal);
        Assert.NotEqual(0, Counted(machine, "lock: foreign address"));
        machine.Run("xeno rules set web 'deny out icmp' 'forward tcp 8080 to 80'");
        Assert.Contains("100% packet loss", InGuest(machine, "ping -c 2 -W 1 10.87.0.1", 1), StringComparison.Ordinal);
        Assert.Equal(2, Counted(machine, "deny out icmp"));
        InGuest(machine, "mkdir -p /srv; echo served by the guest >/srv/index.html; httpd -p 80 -h /srv");
        Assert.Contains("served by the guest", machine.Run("exec 3<>/dev/tcp/10.0.2.15/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; timeout 20 cat <&3; exec 3>&-"), StringComparison.Ordinal);
        machine.Run("xeno rules set web");
        Assert.Contains(" 0% packet loss", InGuest(machine, "ping -c 2 10.87.0.1"), StringComparison.Ordinal);

        // The daemon dies; the guest does not notice, and the next daemon goes on with it.
        machine.Run("kill -9 $(pidof xenod); until xeno disk-list web; do sleep 1; done");
        machine.Run("truncate -s 32M /root/more.img; xeno disk-attach web /root/more.img,raw,xvdb,w");
        InGuest(machine, "until [ -b /dev/xvdb ]; do sleep 1; done; dd if=/mnt/data of=/dev/xvdb bs=64k count=32 2>/dev/null; sync; echo 3 >/proc/sys/vm/drop_caches; md5sum -c /root/sum && cmp -n 2097152 /mnt/data /dev/xvdb");
        machine.Run("xeno disk-detach web xvdb");
        Assert.Single(machine.Run("losetup --noheadings --list").Trim().Split('\n'));

        InGuest(machine, "umount /mnt");
        machine.Run("xeno shutdown --wait web");
        machine.Run("[ -z \"$(losetup --list)\" ] && ! ip link show vif1.0 && ! nft list chain bridge xenolith sent_vif1.0");
        Assert.Equal(free, machine.Run("xeno info --json | grep freeMebibytes"));
        machine.Type("systemctl poweroff");
        Assert.Equal(0, machine.WaitForExit());
        Log.AssertSound(machine);
    }

    /// <summary>
    /// Makes Domain 0's shell know how to run a command in the guest's: it types at the guest's console until the command has said how it
    /// ended, then leaves the console.
    /// </summary>
    private static void DefineGuest(BootedMachine machine)
        => machine.Run("mkfifo /run/keys; exec 4<>/run/keys; guest() ( xeno console web <&4 | { sed '/guest gave [0-9]/q'; printf '\\035' >&4; } & echo \"$1; echo \\\"guest \\\"\\\"gave \\$?\\\"\" >&4; wait )");

    /// <summary>Runs a command in the guest, and gives what its console said; fails unless the command ends as it should.</summary>
    private static string InGuest(BootedMachine machine, string command, int status = 0)
    {
        string said = machine.Run($"guest '{command}'");
        Assert.Contains($"guest gave {status}", said, StringComparison.Ordinal);
        return said;
    }

    private static int Counted(BootedMachine machine, string rule)
        => int.Parse(machine.Run("xeno rules list web").Split('\n').Last(line => line.TrimEnd().EndsWith(rule, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex(@"10\.87\.0\.\d+")]
    private static partial Regex Address();
}
