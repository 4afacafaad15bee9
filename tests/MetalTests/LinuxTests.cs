// Debian's own kernel as Domain 0.
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;

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
    public void BootsToUserlandAndSwitchesOff(string cpu, string machineType, int memory, int cpus)
    {
        using BootedMachine machine = new("--cpu", cpu, "--machine", machineType, "--memory", $"{memory}", "--cpus", $"{cpus}", "--append", "console=hvc0");
        machine.WaitFor("dom0: userland after");
        machine.WaitFor("dom0:~#");
        Assert.Contains("xen", machine.Run("cat /sys/hypervisor/type"), StringComparison.Ordinal);
        Assert.DoesNotContain("1", machine.Run("dmesg | grep -c -E 'WARNING: CPU|BUG:|Oops' || true"), StringComparison.Ordinal);
        machine.Type("poweroff");
        machine.WaitFor("[power] off, by ACPI");
        Assert.Equal(0, machine.WaitForExit());
        Assert.DoesNotContain("panic", machine.Console, StringComparison.Ordinal);
    }

    [Fact]
    public void Reboots()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet", "--qemu", "-no-reboot");
        machine.WaitFor("dom0:~#");
        machine.Type("reboot");
        machine.WaitFor("[power] reset");
        Assert.Equal(0, machine.WaitForExit());
    }

    [Fact]
    public void TellsItsVersionInSysHypervisor()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.WaitFor("dom0:~#");
        Assert.Contains("4\n", machine.Run("cat /sys/hypervisor/version/major"), StringComparison.Ordinal);
        Assert.Contains("17\n", machine.Run("cat /sys/hypervisor/version/minor"), StringComparison.Ordinal);
        Assert.Contains("xen-3.0-x86_64", machine.Run("cat /sys/hypervisor/properties/capabilities"), StringComparison.Ordinal);
        Assert.Contains("4096", machine.Run("cat /sys/hypervisor/properties/pagesize"), StringComparison.Ordinal);
        Assert.Contains("ffff800000000000", machine.Run("cat /sys/hypervisor/properties/virtual_start"), StringComparison.Ordinal);
    }
}

public sealed class LinuxDeviceTests
{
    [Theory]
    [InlineData("pc")]
    [InlineData("q35")]
    public async Task UsesDiskAndNetwork(string machineType)
    {
        string disk = Repository.WriteFile("disk", new byte[64 << 20]);
        byte[] payload = new byte[3_000_000];
        new Random(31).NextBytes(payload);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task server = Serve(listener, payload);
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using (BootedMachine machine = new("--machine", machineType, "--append", "console=hvc0 quiet", "--disk", disk, "--network"))
        {
            machine.WaitFor("dom0:~#");
            machine.Run("echo -e 'n\\np\\n1\\n\\n\\nw' | fdisk /dev/vda && mdev -s && mke2fs /dev/vda1 && mount -t ext4 /dev/vda1 /mnt");
            Assert.Contains("inet 10.0.2.15", machine.Run("ip addr show eth0"), StringComparison.Ordinal);
            machine.Run($"wget -q -O /mnt/file http://10.0.2.2:{port}/ && sync && umount /mnt && echo 3 > /proc/sys/vm/drop_caches && mount -t ext4 /dev/vda1 /mnt");
            string expected = Convert.ToHexStringLower(SHA256.HashData(payload));
            Assert.Contains(expected, machine.Run("sha256sum /mnt/file"), StringComparison.Ordinal);
            Assert.DoesNotContain("panic", machine.Console, StringComparison.Ordinal);
            machine.Type("poweroff");
            Assert.Equal(0, machine.WaitForExit());
        }

        await server;
        File.Delete(disk);
    }

    private static async Task Serve(TcpListener listener, byte[] payload)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        NetworkStream stream = client.GetStream();
        await stream.ReadAtLeastAsync(new byte[4096], 16);
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {payload.Length}\r\n\r\n"));
        await stream.WriteAsync(payload);
        client.Client.Shutdown(SocketShutdown.Send);
    }
}

public sealed class DebugKeyTests
{
    [Fact]
    public void AnswerAfterCtrlAThreeTimes()
    {
        using BootedMachine machine = new("--append", "console=hvc0 quiet");
        machine.WaitFor("dom0:~#");
        machine.Press("\u0001\u0001\u0001");
        machine.WaitFor("input goes to the hypervisor");
        machine.Press("h");
        machine.WaitFor("d registers of all vcpus");
        machine.Press("q");
        machine.WaitFor("d0 state 2 vcpus 1");
        machine.Press("d");
        machine.WaitFor("rip 0x");
        machine.Press("t");
        machine.WaitFor("frames in use as L1");
        machine.Press("e");
        machine.WaitFor("virq 0");
        machine.Press("a");
        machine.WaitFor("d0v0 one-shot");
        machine.Press("m");
        machine.WaitFor("frames free");
        machine.Press("\u0001\u0001\u0001");
        machine.WaitFor("input goes to Domain 0");
        Assert.Contains("Linux", machine.Run("uname"), StringComparison.Ordinal);
    }
}
