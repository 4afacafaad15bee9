// What a guest's disk boots.
using Microsoft.Win32.SafeHandles;
using Xenolith.Toolstack.BootDisks;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.BootDisks;

public sealed class BootDiskTests : IDisposable
{
    // Larger than what the first twelve blocks and a block of numbers hold.
    private static readonly byte[] s_kernel = DiskImage.Pattern(1_500_003, 1);
    private static readonly byte[] s_ramDisk = DiskImage.Pattern(5_000_001, 2);

    private readonly DiskImage _disk = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _disk.Dispose();

    [Theory]
    [InlineData("ext2", "1024")]
    [InlineData("ext2", "4096")]
    [InlineData("ext3", "1024")]
    [InlineData("ext4", "1024")]
    [InlineData("ext4", "4096")]
    [InlineData("ext4", "4096", "-O", "^64bit,^flex_bg")]
    [InlineData("ext4", "1024", "-I", "128")]
    public async Task KernelAndRamDiskAreThoseOfTheFileSystem(string kind, string block, params string[] more)
    {
        WriteSystem();
        BootFiles files = await ExtractAsync(_disk.Format(["-t", kind, "-b", block, .. more]));
        Assert.Equal("Debian GNU/Linux", files.Title);
        Assert.Equal("root=/dev/xvda1 ro quiet", files.CommandLine);
        Assert.Equal(s_kernel, await File.ReadAllBytesAsync(files.Kernel, Cancellation));
        Assert.Equal(s_ramDisk, await File.ReadAllBytesAsync(files.RamDisk!, Cancellation));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task PartitionsAreFound(bool isGpt, bool isLogical)
    {
        WriteSystem();
        BootFiles files = await ExtractAsync(_disk.Partition(_disk.Format("-t", "ext4"), isGpt, isLogical));
        Assert.Equal(s_kernel, await File.ReadAllBytesAsync(files.Kernel, Cancellation));
    }

    [Fact]
    public async Task ABootPartitionOfItsOwnIsFound()
    {
        _disk.Write("grub/grub.cfg", DiskImage.Menu.Replace("/boot/", "/", StringComparison.Ordinal));
        _disk.Write("vmlinuz-6", s_kernel);
        _disk.Write("initrd.img-6", s_ramDisk);
        BootFiles files = await ExtractAsync(_disk.Format("-t", "ext4"));
        Assert.Equal(s_ramDisk, await File.ReadAllBytesAsync(files.RamDisk!, Cancellation));
    }

    [Fact]
    public async Task WithoutABootLoaderTheLinksToTheNewestKernelAreFollowed()
    {
        _disk.Write("boot/vmlinuz-6", s_kernel);
        _disk.Link("vmlinuz", "boot/../boot/vmlinuz-6");
        _disk.Link($"boot/{new string('l', 70)}", "/vmlinuz");
        _disk.Link("initrd.img", $"boot/{new string('l', 70)}");
        BootFiles files = await ExtractAsync(_disk.Format("-t", "ext4"));
        Assert.Equal(s_kernel, await File.ReadAllBytesAsync(files.Kernel, Cancellation));
        Assert.Equal(files.Kernel, files.RamDisk);
        Assert.Equal("", files.CommandLine);
    }

    [Fact]
    public async Task HolesAreZero()
    {
        byte[] sparse = new byte[3_000_000];
        DiskImage.Pattern(5000, 3).CopyTo(sparse, 2_000_000);
        WriteSystem();
        _disk.Write("boot/vmlinuz-6", sparse);
        foreach (string kind in (string[])["ext2", "ext4"])
        {
            BootFiles files = await ExtractAsync(_disk.Format("-t", kind));
            Assert.Equal(sparse, await File.ReadAllBytesAsync(files.Kernel, Cancellation));
        }
    }

    [Fact]
    public async Task GuestsWithTheSameKernelShareOneCopy()
    {
        WriteSystem();
        BootFiles first = await ExtractAsync(_disk.Format("-t", "ext4"));
        BootFiles second = await ExtractAsync(_disk.Format("-t", "ext2"));
        Assert.Equal(first, second);
        Assert.Equal([first.Kernel, first.RamDisk!], Directory.GetFiles(_disk.StorePath).Where(file => !file.EndsWith(".used", StringComparison.Ordinal)).Order().OrderBy(file => file != first.Kernel));
    }

    [Fact]
    public void WhatIsUsedStaysAndWhatIsNotMakesRoom()
    {
        BootFileStore store = new(_disk.StorePath, maximumBytes: 1);
        string Keep(byte content) => store.Keep(to => to.WriteByte(content));
        string used = Keep(0);
        string unused = Keep(1);
        for (byte content = 2; content < 60; content++)
        {
            Keep(content);
            Assert.Equal(used, Keep(0));
            Assert.True(File.Exists(used));
        }

        Assert.False(File.Exists(unused));
        Assert.Equal(16, Directory.GetFiles(_disk.StorePath, "*.used").Length);
    }

    [Fact]
    public async Task WhatIsMissingIsNamed()
    {
        Assert.Contains("neither a GRUB configuration", await RefusalAsync(_disk.Format("-t", "ext4")));
        _disk.Write("boot/grub/grub.cfg", DiskImage.Menu);
        Assert.Contains("/boot/vmlinuz-6", await RefusalAsync(_disk.Format("-t", "ext4")));
        _disk.Link("boot/vmlinuz-6", "vmlinuz-6");
        Assert.Contains("symbolic links", await RefusalAsync(_disk.Format("-t", "ext4")));
        string empty = _disk.Format("-t", "ext4");
        await File.WriteAllBytesAsync(empty, new byte[1 << 20], Cancellation);
        Assert.Contains("no ext2, ext3 or ext4", await RefusalAsync(empty));
        Assert.Contains("/nowhere.img", await RefusalAsync("/nowhere.img"));
    }

    /// <summary>A guest may write what it likes: something is found or refused, and it takes no longer than a sound disk of its size.</summary>
    [Fact]
    [Trait(Soak.Kind, Soak.Random)]
    public async Task DamagedDisksAreReadOrRefused()
    {
        WriteSystem();
        foreach (string kind in (string[])["ext2", "ext4"])
        {
            string image = _disk.Partition(_disk.Format("-t", kind, "-b", "1024"), isGpt: false);
            byte[] sound = await File.ReadAllBytesAsync(image, Cancellation);
            using SafeFileHandle file = File.OpenHandle(image, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
            for (int round = Soak.FirstSeed; round < Soak.FirstSeed + Soak.Count(150); round++)
            {
                Random random = new(round);
                List<int> places = [];
                for (int change = random.Next(1, 40); change > 0; change--)
                {
                    // Tables of the file system are at its beginning; the files behind them.
                    int reach = random.Next(3) switch { 0 => 4096, 1 => 1 << 20, _ => sound.Length - (1 << 20) };
                    places.Add((1 << 20) + random.Next(reach));
                    RandomAccess.Write(file, [(byte)random.Next(256)], places[^1]);
                }

                try
                {
                    Assert.True(File.Exists((await ExtractAsync(image)).Kernel));
                }
                catch (BootDiskException exception)
                {
                    Assert.StartsWith(image, exception.Message, StringComparison.Ordinal);
                }

                places.ForEach(place => RandomAccess.Write(file, sound.AsSpan(place, 1), place));
            }
        }
    }

    private void WriteSystem()
    {
        _disk.Write("boot/grub/grub.cfg", DiskImage.Menu);
        _disk.Write("boot/vmlinuz-6", s_kernel);
        _disk.Write("boot/initrd.img-6", s_ramDisk);
    }

    private Task<BootFiles> ExtractAsync(string image) => BootDisk.ExtractAsync(image, new BootFileStore(_disk.StorePath), Cancellation);

    private async Task<string> RefusalAsync(string image) => (await Assert.ThrowsAsync<BootDiskException>(() => ExtractAsync(image))).Message;
}
