// Debian's kernel in every packing that the hypervisor unpacks.
using System.Buffers.Binary;
using System.IO;
using Xenolith.UnitTests.Support;

namespace Xenolith.MetalTests;

public sealed class PackedKernelTests
{
    [Theory]
    [InlineData("gzip", "-c -1")]
    [InlineData("zstd", "-q -c -9 --check")]
    [InlineData("lz4", "-q -c -l -1")]
    public void BootsToUserland(string packer, string options)
    {
        byte[] kernel = Unpacked(File.ReadAllBytes(Repository.Path("out/dom0/vmlinuz-amd64")));
        string file = Repository.WriteFile($"vmlinuz-{packer}", KernelFile.BzImage(Packer.Pack(packer, options, kernel), kernel.Length));
        using BootedMachine machine = new("--kernel", file, "--initrd", Repository.Path("out/dom0/initrd-amd64.gz"), "--append", "console=hvc0 quiet");
        machine.WaitFor($" KiB to {kernel.Length >> 10} KiB in ");
        machine.WaitFor("dom0: userland after");
        File.Delete(file);
    }

    /// <summary>Debian packs with xz; behind the stream stands the kernel's length.</summary>
    private static byte[] Unpacked(byte[] image)
    {
        int start = ((image[0x1F1] + 1) * 512) + BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(0x248));
        int length = BinaryPrimitives.ReadInt32LittleEndian(image.AsSpan(0x24C));
        return Packer.Pack("xz", "-dc", image[start..(start + length - 4)]);
    }
}
