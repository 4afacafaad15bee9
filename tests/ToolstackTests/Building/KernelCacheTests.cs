// Kernels are unpacked once for each state of their file.
using Xenolith.Toolstack.Building;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.Building;

public sealed class KernelCacheTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("kernels").FullName;

    private string Kernel => Path.Combine(_directory, "vmlinuz");

    private string Cached => Path.Combine(_directory, "cache");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, true);

    [Theory]
    [InlineData("elf")]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("lz4")]
    public async Task UnpacksAKernelOnce(string packing)
    {
        byte[] elf = KernelFile.WithNotes();
        await File.WriteAllBytesAsync(Kernel, Pack(elf, packing), Cancellation);
        KernelCache cache = new(Cached);
        Assert.True(await cache.PrepareAsync(Kernel, Cancellation));
        Assert.False(await cache.PrepareAsync(Kernel, Cancellation));
        Assert.False(await new KernelCache(Cached).PrepareAsync(Kernel, Cancellation));
        Assert.Equal(elf, await File.ReadAllBytesAsync(Assert.Single(Directory.GetFiles(Cached)), Cancellation));
    }

    [Fact]
    public async Task UnpacksAgainWhenTheFileIsReplaced()
    {
        KernelCache cache = new(Cached);
        await File.WriteAllBytesAsync(Kernel, Pack(KernelFile.WithNotes(), "gzip"), Cancellation);
        Assert.True(await cache.PrepareAsync(Kernel, Cancellation));
        string other = Kernel + ".new";
        await File.WriteAllBytesAsync(other, Pack(KernelFile.WithNotes(1), "gzip"), Cancellation);
        File.Move(other, Kernel, true);
        Assert.True(await cache.PrepareAsync(Kernel, Cancellation));
    }

    [Fact]
    public async Task MakesRoomByDroppingWhatWasUsedLongestAgo()
    {
        byte[] elf = KernelFile.WithNotes();
        KernelCache cache = new(Cached, elf.Length * 2);
        string[] kernels = [.. Enumerable.Range(0, 3).Select(i => $"{Kernel}{i}")];
        foreach (string kernel in kernels)
        {
            await File.WriteAllBytesAsync(kernel, elf, Cancellation);
        }

        Assert.True(await cache.PrepareAsync(kernels[0], Cancellation));
        string first = Assert.Single(Directory.GetFiles(Cached));
        Assert.True(await cache.PrepareAsync(kernels[1], Cancellation));
        File.SetLastWriteTimeUtc(first, DateTime.UtcNow.AddHours(-1));
        Assert.True(await cache.PrepareAsync(kernels[2], Cancellation));
        Assert.False(File.Exists(first));
        Assert.Equal(2, Directory.GetFiles(Cached).Length);
    }

    [Fact]
    public async Task KeepsNothingOfWhatIsNoKernel()
    {
        KernelCache cache = new(Cached);
        byte[] packed = Pack(KernelFile.WithNotes(), "gzip");
        packed[^20] ^= 0xFF;
        foreach ((byte[] file, string reason) in new[]
        {
            (new byte[5000], "neither a Linux bzImage nor an ELF file"),
            (KernelFile.WithoutNotes(), "no Xen ELF notes"),
            (packed, "corrupt"),
            ([], "neither"),
        })
        {
            await File.WriteAllBytesAsync(Kernel, file, Cancellation);
            KernelException failure = await Assert.ThrowsAsync<KernelException>(() => cache.PrepareAsync(Kernel, Cancellation));
            Assert.Contains(reason, failure.Message, StringComparison.Ordinal);
            Assert.Contains(Kernel, failure.Message, StringComparison.Ordinal);
        }

        await Assert.ThrowsAsync<KernelException>(() => cache.PrepareAsync(Kernel + "-that-is-missing", Cancellation));
        Assert.Empty(Directory.GetFiles(Cached));
    }

    private static byte[] Pack(byte[] elf, string packing) => packing switch
    {
        "elf" => elf,
        "gzip" => KernelFile.BzImage(Packer.Gzip(elf), elf.Length),
        "xz" => KernelFile.BzImage(Packer.Xz(elf), elf.Length),
        "zstd" => KernelFile.BzImage(Packer.Zstd(elf), elf.Length),
        _ => KernelFile.BzImage(Packer.Lz4(elf), elf.Length),
    };
}
