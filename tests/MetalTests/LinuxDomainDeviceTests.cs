// Disks and network interfaces of a domain, served by Domain 0's kernel and set up by the daemon, on the running machine.
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;

namespace Xenolith.MetalTests;

public sealed partial class LinuxDomainDeviceTests
{
    private const string FreeMemory = "xeno info --json | grep freeMebibytes";

    /// <summary>
    /// A stock guest knows the time, reads what it wrote, has the address that the daemon gave it and no other, is kept from what its rules deny and reached
    /// through what they forward, goes on while the daemon dies, and sees a disk come and go. A second one boots from its own disk. At the end
    /// no loop device, interface, rule or memory of them is left. The same programs do so on real Xen.
    /// </summary>
    [Theory]
    [InlineData("ours")]
    [InlineData("xen")]
    public void GuestsHaveDisksAndTheNetworkAndLeaveNothing(string hypervisor)
    {
        using BootedMachine machine = new(
        [
            .. BootedMachine.ForHypervisor(hypervisor), "--cpus", "2", "--network", "--append", "console=hvc0 quiet", "--options", "console=com1 com1=115200,8n1 dom0_mem=640M",
            "--initrd", Repository.Path("out/tests/toolstack-amd64.gz"),
        ]);
        machine.OpenShell();
        machine.Run("/etc/init.d/toolstack");
        machine.Run("cd /var/lib/xenolith/disks; truncate -s 16M web.img more.img; mke2fs -F web.img 2>/dev/null");
        GuestShell guest = new(machine, "xeno console web", "/run/keys");
        string free = machine.Run(FreeMemory);

        machine.Run("xeno create /root/web.cfg");
        WaitForShell(machine, "web");
        guest.Run("[ $(date +%Y) -ge 2024 ]");
        ReadsWhatItWrote(guest);
        HasItsAddressOnly(machine, guest);
        IsKeptFromAndReachedByRules(machine, guest);
        IsRoutedWhereItIsNotBridged(machine, guest);
        GoesOnWhileTheDaemonDies(machine, guest);
        SeesADiskComeAndGo(machine, guest);
        SeesErrorsOfADisk(machine, guest);
        SeesADiskOfExtents(machine, guest);
        machine.Run("xeno shutdown --wait web");

        BootsFromItsOwnDisk(machine);
        Assert.Equal(string.Empty, machine.Run("losetup -a; ls /sys/class/net | grep vif; nft list ruleset | grep vif; true").Trim());
        Assert.Equal(free, machine.Run(FreeMemory));
        machine.Type("poweroff");
        machine.WaitForExit();
    }

    private static void ReadsWhatItWrote(GuestShell guest)
    {
        guest.Run("mkdir -p /mnt; mount /dev/xvda /mnt && dd if=/dev/urandom of=/mnt/data bs=64k count=32 2>/dev/null; sync; md5sum /mnt/data >/sum; umount /mnt");
        guest.Run("mount /dev/xvda /mnt; md5sum -c /sum");
    }

    private static void HasItsAddressOnly(BootedMachine machine, GuestShell guest)
    {
        string address = Address().Match(machine.Run("xeno net-list web")).Value;
        Assert.Contains($"inet addr:{address} ", guest.Run("ifconfig eth0"), StringComparison.Ordinal);
        Assert.Contains(" 0% packet loss", guest.Run("ping -c 2 10.0.2.2"), StringComparison.Ordinal);
        Assert.Equal(0, Counted(machine, "lock: "));
        Assert.Contains("100% packet loss", guest.Run("ip addr add 10.87.0.250/24 dev eth0; ping -c 2 -W 1 -I 10.87.0.250 10.87.0.1", 1), StringComparison.Ordinal);
        Assert.NotEqual(0, Counted(machine, "lock: "));
        guest.Run("ip addr del 10.87.0.250/24 dev eth0");

        // The same of IPv6, whose address the guest makes itself.
        guest.Run("until ip -6 addr show dev eth0 | grep -q fd58:; do sleep 1; done");
        Assert.Contains(" 0% packet loss", guest.Run("ping6 -c 2 fd58:656e:6f6c::1 && ping6 -c 2 fec0::2"), StringComparison.Ordinal);
        Assert.Contains("100% packet loss", guest.Run("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip -6 addr add fd58:656e:6f6c::250/64 dev eth0; ping6 -c 2 -W 1 -I fd58:656e:6f6c::250 fd58:656e:6f6c::1", 1), StringComparison.Ordinal);
        guest.Run("ip -6 addr del fd58:656e:6f6c::250/64 dev eth0");

        // Nor under another Ethernet address.
        Assert.Equal(0, Counted(machine, "lock: foreign Ethernet address"));
        Assert.Contains("100% packet loss", guest.Run("MAC=$(cat /sys/class/net/eth0/address); mac() { ip link set eth0 down; ip link set eth0 address $1; ip link set eth0 up; }; mac 00:16:3e:00:00:99; ping -c 2 -W 1 10.87.0.1", 1), StringComparison.Ordinal);
        Assert.NotEqual(0, Counted(machine, "lock: foreign Ethernet address"));
        guest.Run("mac $MAC; udhcpc -i eth0 -q -n -s /etc/udhcpc/script; ping -c 2 10.87.0.1");
    }

    private static void IsKeptFromAndReachedByRules(BootedMachine machine, GuestShell guest)
    {
        machine.Run("xeno rules set web 'deny out icmp' 'forward tcp 8080 to 80'");
        Assert.Contains("100% packet loss", guest.Run("ping -c 2 -W 1 10.87.0.1", 1), StringComparison.Ordinal);
        Assert.InRange(Counted(machine, "deny out icmp"), 2, 5);
        guest.Run("mkdir -p /srv; echo served by the guest >/srv/index.html; httpd -p 80 -h /srv");
        Assert.Contains("served by the guest", machine.Run("wget -q -O - http://10.0.2.15:8080/"), StringComparison.Ordinal);
        Assert.Contains("served by the guest", machine.Run("wget -q -O - 'http://[fd58:656e:6f6c::1]:8080/'"), StringComparison.Ordinal);
        machine.Run("xeno rules set web 'limit 1/minute out icmp'");
        guest.Run("for i in $(seq 50); do ping -c 1 -W 1 10.87.0.1 >/dev/null & done; wait");
        Assert.InRange(Counted(machine, "limit 1/minute out icmp"), 40, 49);
        machine.Run("xeno rules set web 'only to 198.51.100.7'");
        guest.Run("arp -d 10.87.0.1; ping -c 1 10.87.0.1");
        guest.Run("ping -c 1 -W 1 10.0.2.2", 1);
        Assert.NotEqual(0, Counted(machine, "only: everything else"));
        machine.Run("xeno rules set web");
        Assert.Contains(" 0% packet loss", guest.Run("ping -c 2 10.87.0.1"), StringComparison.Ordinal);
    }

    /// <summary>A second interface has an address of the outer network, on which Domain 0 answers for it: it goes out and is reached under that address.</summary>
    private static void IsRoutedWhereItIsNotBridged(BootedMachine machine, GuestShell guest)
    {
        machine.Run("xeno net-attach web 'gatewaydev=eth0, ip=10.0.2.99 fd58::99'");
        guest.Run("until ip link set eth1 up 2>/dev/null; do sleep 1; done; ip addr add 10.0.2.99/24 dev eth1; ip -6 addr add fd58::99/64 dev eth1; arp -d 10.0.2.2; ping -c 2 -I eth1 10.0.2.2");
        Assert.Contains("served by the guest", machine.Run("wget -q -O - http://10.0.2.99/"), StringComparison.Ordinal);
        Assert.Equal("fd58::99 via eth0", machine.Run("/sbin/ip -6 neighbour show proxy | sed 's/ dev / via /;s/ proxy.*//'").Trim());
        Assert.Contains("100% packet loss", guest.Run("ip addr add 10.0.2.98/24 dev eth1; ping -c 2 -W 1 -I 10.0.2.98 10.0.2.2", 1), StringComparison.Ordinal);
        Assert.Contains("is routed to xrt", machine.Run("xeno net-attach web 'gatewaydev=eth0, ip=10.0.2.99' 2>&1 || true"), StringComparison.Ordinal);
        machine.Run("xeno net-detach web 1; [ -z \"$(/sbin/ip neighbour show proxy; /sbin/ip -6 neighbour show proxy; ip link | grep xrt)\" ]");
    }

    private static void GoesOnWhileTheDaemonDies(BootedMachine machine, GuestShell guest)
    {
        machine.Run("kill -9 $(pidof xenod); until xeno disk-list web 2>/dev/null; do sleep 1; done");
        guest.Run("echo 3 >/proc/sys/vm/drop_caches; md5sum -c /sum && ping -c 1 10.0.2.2");
    }

    private static void SeesADiskComeAndGo(BootedMachine machine, GuestShell guest)
    {
        machine.Run("xeno disk-attach web $PWD/more.img,raw,xvdb,w");
        guest.Run("until [ -b /dev/xvdb ]; do sleep 1; done; dd if=/mnt/data of=/dev/xvdb bs=64k 2>/dev/null; sync; cmp -n 2097152 /mnt/data /dev/xvdb");
        machine.Run("xeno disk-detach web xvdb");
        Assert.Single(machine.Run("losetup -a").Trim().Split('\n'));
        guest.Run("! [ -b /dev/xvdb ]");
    }

    /// <summary>A file that has no room for what is written, and a block device that has lost all.</summary>
    private static void SeesErrorsOfADisk(BootedMachine machine, GuestShell guest)
    {
        machine.Run("mkdir -p /mnt; mount -t tmpfs -o size=4M tmpfs /mnt; truncate -s 16M /mnt/full.img; xeno disk-attach web /mnt/full.img,raw,xvdb,w");
        guest.Run("until [ -b /dev/xvdb ]; do sleep 1; done; dd if=/dev/zero of=/dev/xvdb bs=1M count=8 conv=fsync 2>/dev/null", 1);
        machine.Run("xeno disk-detach web xvdb; umount /mnt; modprobe dm-mod; echo '0 8192 error' | dmsetup create lost --noudevsync; xeno disk-attach web /dev/dm-0,raw,xvdb,w");
        guest.Run("until [ -b /dev/xvdb ]; do sleep 1; done; dd if=/dev/xvdb of=/dev/null bs=64k count=1 2>/dev/null", 1);
        machine.Run("xeno disk-detach web xvdb; dmsetup remove --noudevsync lost");
    }

    /// <summary>The second half of a file before its first: what the guest reads and writes lies there, and nobody else is given the same.</summary>
    private static void SeesADiskOfExtents(BootedMachine machine, GuestShell guest)
    {
        machine.WriteLines("more.list", "/var/lib/xenolith/disks/more.img 1M 1M", "/var/lib/xenolith/disks/more.img 0 1M");
        machine.Run("xeno disk-attach web $PWD/more.list,extents,xvdb,w");
        guest.Run("until [ -b /dev/xvdb ]; do sleep 1; done; cmp -s -n 1048576 /mnt/data /dev/xvdb", 1);
        guest.Run("dd if=/mnt/data bs=1M skip=1 count=1 2>/dev/null | cmp -s -n 1048576 - /dev/xvdb && dd if=/mnt/data of=/dev/xvdb bs=1M count=2 2>/dev/null; sync");
        machine.WriteLines("other.list", "/var/lib/xenolith/disks/more.img 512K 1M");
        Assert.Contains("part of another domain's disk already", machine.Run("xeno disk-attach web $PWD/other.list,extents,xvdc,w 2>&1 || true"), StringComparison.Ordinal);
        machine.Run("xeno disk-detach web xvdb; [ -z \"$(ls /sys/block | grep dm-)\" ]");
        Assert.Single(machine.Run("losetup -a").Trim().Split('\n'));
        machine.Run("xeno disk-attach web $PWD/more.img,raw,xvdb,r");
        guest.Run("until [ -b /dev/xvdb ]; do sleep 1; done; dd if=/mnt/data bs=1M skip=1 count=1 2>/dev/null | cmp -s -n 1048576 - /dev/xvdb; umount /mnt");
        machine.Run("xeno disk-detach web xvdb");
    }

    private static void BootsFromItsOwnDisk(BootedMachine machine)
    {
        machine.Run("mkdir -p /mnt; truncate -s 64M own.img; mke2fs -F own.img 2>/dev/null; mount -o loop own.img /mnt; mkdir -p /mnt/boot/grub; cp /boot/vmlinuz /boot/initrd.img /mnt/boot");
        machine.WriteLines("/mnt/boot/grub/grub.cfg", "set default=1", "menuentry wrong {", "linux /boot/none", "}", "menuentry own {",
            "linux /boot/vmlinuz console=hvc0 quiet xenolith.name=own", "initrd /boot/initrd.img", "}");
        machine.Run("umount /mnt");
        machine.WriteLines("/root/own.cfg", "name = \"own\"", "memory = 128", "bootloader = \"pygrub\"", "disk = [ \"/var/lib/xenolith/disks/own.img,raw,xvda,w\" ]");
        machine.Run("xeno create /root/own.cfg");
        WaitForShell(machine, "own");
        machine.Run("xeno destroy own");
    }

    private static void WaitForShell(BootedMachine machine, string domain)
        => machine.Run($"until xeno console --log {domain} | grep -q '{domain}:~#'; do sleep 1; done");

    /// <summary>Packets that the rules whose text contains this have met.</summary>
    private static int Counted(BootedMachine machine, string rule)
        => machine.Run("xeno rules list web").Split('\n').Where(line => line.Contains(rule, StringComparison.Ordinal))
            .Sum(line => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture));

    [GeneratedRegex(@"10\.87\.0\.\d+")]
    private static partial Regex Address();
}
