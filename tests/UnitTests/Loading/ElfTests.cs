// ELF files and Xen notes: what is accepted, what is refused, and that nothing is read outside the file.
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class ElfTests
{
    [Fact]
    public void ReadsTheNotesOfAPvKernel()
    {
        Assert.Equal(LoadError.None, Elf64.TryOpen(KernelFile.WithNotes(), out Elf64 elf));
        Assert.Equal(LoadError.None, XenNotes.TryRead(in elf, out XenNotes notes));
        Assert.Equal(KernelFile.Entry, notes.Entry);
        Assert.Equal(KernelFile.VirtualBase, notes.VirtualBase);
        Assert.True(notes.HasInitialP2m);
        Assert.Equal(0x80_0000_0000UL, notes.InitialP2m);
        Assert.True(notes.ModuleStartIsPfn);
        Assert.True(notes.AllowsDomain0);
        Assert.Equal(LoadError.None, KernelExtent.TryMeasure(in elf, in notes, out ulong start, out ulong end));
        Assert.Equal((0x100_0000UL, 0x100_3000UL), (start, end));
    }

    [Fact]
    public void ReadsTheOldGuestSection()
    {
        byte[] file = KernelFile.WithGuestSection("GUEST_OS=linux,VIRT_BASE=0xffffffff80000000,ELF_PADDR_OFFSET=0x0,HYPERCALL_PAGE=0x1001,PAE=yes");
        Assert.Equal(LoadError.None, Elf64.TryOpen(file, out Elf64 elf));
        Assert.Equal(LoadError.None, XenNotes.TryRead(in elf, out XenNotes notes));
        Assert.Equal(KernelFile.VirtualBase, notes.VirtualBase);
        Assert.Equal(KernelFile.VirtualBase + 0x100_1000, notes.HypercallPage);
        Assert.True(notes.HasPaeMode);
    }

    [Fact]
    public void RefusesAKernelWithoutNotes()
    {
        Assert.Equal(LoadError.None, Elf64.TryOpen(KernelFile.WithoutNotes(), out Elf64 elf));
        Assert.Equal(LoadError.NoXenNotes, XenNotes.TryRead(in elf, out _));
    }

    [Fact]
    public void RefusesA32BitKernel()
    {
        byte[] file = KernelFile.WithNotes();
        file[4] = 1;
        Assert.Equal(LoadError.Not64Bit, Elf64.TryOpen(file, out _));
    }

    [Fact]
    public void SeesThatAKernelCanBeADomainButNotDomain0()
    {
        Elf64.TryOpen(KernelFile.WithNotes(supportedFeatures: 1), out Elf64 elf);
        Assert.Equal(LoadError.None, XenNotes.TryRead(in elf, out XenNotes notes));
        Assert.False(notes.AllowsDomain0);
        Assert.Equal(LoadError.None, KernelExtent.TryMeasure(in elf, in notes, out _, out _));
    }

    [Fact]
    public void RefusesSegmentsBeyondTheFile()
    {
        byte[] file = KernelFile.WithNotes();
        Assert.Equal(LoadError.Truncated, Elf64.TryOpen(file.AsSpan(0, 1000), out _));
    }

    [Fact]
    public void SurvivesDamagedFiles()
    {
        byte[] file = KernelFile.WithNotes();
        Random random = new(19);
        for (int round = 0; round < 50_000; round++)
        {
            byte[] damaged = (byte[])file.Clone();
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                damaged[random.Next(Math.Min(damaged.Length, 512))] = (byte)random.Next(256);
            }

            if (Elf64.TryOpen(damaged.AsSpan(0, random.Next(damaged.Length + 1)), out Elf64 elf) == LoadError.None
                && XenNotes.TryRead(in elf, out XenNotes notes) == LoadError.None)
            {
                KernelExtent.TryMeasure(in elf, in notes, out _, out _);
            }
        }
    }

    [Theory]
    [InlineData(0x0068_5A42u, LoadError.PackedWithBzip2)]
    [InlineData(0x8000_005Du, LoadError.PackedWithLzma)]
    [InlineData(0x4F5A_4C89u, LoadError.PackedWithLzo)]
    [InlineData(0x1234_5678u, LoadError.UnsupportedPacking)]
    public void NamesThePackingThatIsNotSupported(uint magic, object expected)
    {
        byte[] image = KernelFile.BzImage([.. BitConverter.GetBytes(magic), .. new byte[60]], 1000);
        Assert.Equal((LoadError)expected, KernelUnpacker.TryInspect(image, out _, out _));
    }

    [Fact]
    public void UnpacksABzImage()
    {
        byte[] kernel = KernelFile.WithNotes();
        foreach (byte[] payload in new[] { Packer.Gzip(kernel), Packer.Xz(kernel), Packer.Zstd(kernel), Packer.Lz4(kernel) })
        {
            byte[] image = KernelFile.BzImage(payload, kernel.Length);
            Assert.Equal(LoadError.None, KernelUnpacker.TryInspect(image, out ReadOnlySpan<byte> found, out uint bytes));
            byte[] output = new byte[bytes];
            Assert.Equal(LoadError.None, KernelUnpacker.Unpack(found, output));
            Assert.Equal(kernel, output);
            Assert.NotEqual(LoadError.None, KernelUnpacker.TryInspect(image.AsSpan(0, image.Length - 100), out _, out _));
        }
    }

    [Fact]
    public void RefusesWhatIsNoKernel()
        => Assert.Equal(LoadError.NotAKernel, KernelUnpacker.TryInspect("just some text that somebody named as a kernel"u8, out _, out _));
}
