// Disks and network cards that Domain 0 drives: interrupts, DMA addresses and ports of the real machine.
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Threading.Tasks;

namespace Xenolith.MetalTests;

public sealed class LinuxDeviceTests
{
    [Theory]
    [InlineData("pc", "amd64")]
    [InlineData("q35", "amd64")]
    [InlineData("pc", "rt-amd64")]
    public async Task UsesDiskAndNetwork(string machineType, string flavour)
    {
        string disk = Repository.WriteFile("disk", new byte[64 << 20]);
        byte[] payload = new byte[3_000_000];
        new Random(31).NextBytes(payload);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task server = Serve(listener, payload);
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using (BootedMachine machine = new("--machine", machineType, "--flavour", flavour, "--append", "console=hvc0 quiet", "--disk", disk, "--network"))
        {
            machine.OpenShell();
            machine.Run("echo -e 'n\\np\\n1\\n\\n\\nw' | fdisk /dev/vda && mdev -s && mke2fs /dev/vda1 && mount -t ext4 /dev/vda1 /mnt");
            Assert.Contains("inet 10.0.2.15", machine.Run("ip addr show eth0"), StringComparison.Ordinal);
            machine.Run($"wget -q -O /mnt/file http://10.0.2.2:{port}/ && sync && umount /mnt && echo 3 > /proc/sys/vm/drop_caches && mount -t ext4 /dev/vda1 /mnt");
            string expected = Convert.ToHexStringLower(SHA256.HashData(payload));
            Assert.Contains(expected, machine.Run("sha256sum /mnt/file"), StringComparison.Ordinal);
            Log.AssertQuiet(machine);
            machine.Type("poweroff");
            Assert.Equal(0, machine.WaitForExit());
            Log.AssertSound(machine);
        }

        await server;
        File.Delete(disk);
    }

    /// <summary>Virtio functions have MSI-X: the hypervisor programs their tables, and Linux counts what arrives.</summary>
    [Theory]
    [InlineData("pc")]
    [InlineData("q35")]
    public void DevicesInterruptByMessages(string machineType)
    {
        using BootedMachine machine = new("--machine", machineType, "--append", "console=hvc0 quiet", "--network");
        machine.OpenShell();
        Assert.Matches("[1-9][0-9]* +xen-pirq +-msi-x +virtio0-input", machine.Run("cat /proc/interrupts"));
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
