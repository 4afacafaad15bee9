// A boot module that is damaged in any way ends in an error or in a kernel, never in an access outside it.
using System.Buffers.Binary;
using System.Text;
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class KernelFuzzTests
{
    private static readonly ulong[] s_wild = [0, 1, 7, 63, 64, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1UL << 46, 1UL << 63, ulong.MaxValue - 7, ulong.MaxValue];

    [Fact]
    public void SurvivesEveryTruncationOfABzImage()
    {
        byte[] kernel = KernelFile.WithNotes();
        byte[][] payloads = [Packer.Xz(kernel), Packer.Gzip(kernel), Packer.Zstd(kernel), Packer.Lz4(kernel)];
        foreach (byte[] image in (byte[][])[.. Array.ConvertAll(payloads, payload => KernelFile.BzImage(payload, kernel.Length)), kernel])
        {
            Assert.Equal(LoadError.None, Load(image));
            for (int length = 0; length < image.Length; length++)
            {
                // A whole ELF file may lack what no segment needs: the section table behind the last one.
                LoadError error = Load(image.AsSpan(0, length));
                Assert.True(error != LoadError.None || image == kernel, $"{length} of {image.Length} bytes load");
            }
        }
    }

    [Theory]
    [InlineData("xz", "-c --check=crc32 --x86 --lzma2=dict=1MiB")]
    [InlineData("xz", "-c --check=none --lzma2=preset=0")]
    [InlineData("xz", "-c --check=none --x86 --lzma2=preset=6")]
    [InlineData("gzip", "-c -9")]
    [InlineData("zstd", "-q -c --check -19")]
    [InlineData("zstd", "-q -c --no-check -1")]
    [InlineData("lz4", "-q -c -l -9")]
    public void SurvivesRandomDamageOfABzImage(string packer, string options)
    {
        byte[] kernel = KernelFile.WithNotes();
        byte[] image = KernelFile.BzImage(Packer.Pack(packer, options, kernel), kernel.Length);
        Random random = new(37);
        for (int round = 0; round < 10_000; round++)
        {
            byte[] damaged = (byte[])image.Clone();
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                // The boot header and the packed data matter; what lies between does not.
                int at = random.Next(3) switch { 0 => random.Next(0x1F1, 0x250), 1 => random.Next(2560, Math.Min(2650, image.Length)), _ => random.Next(image.Length) };
                damaged[at] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(damaged[at] ^ (1 << random.Next(8)));
            }

            Load(damaged.AsSpan(0, random.Next(10) == 0 ? random.Next(damaged.Length) : damaged.Length));
        }
    }

    [Fact]
    public void SurvivesRandomDamageOfAnElfFile()
    {
        byte[][] files = [KernelFile.WithNotes(), KernelFile.WithGuestSection("VIRT_BASE=0xffffffff80000000,PAE=yes,HYPERCALL_PAGE=0x1001"), KernelFile.WithoutNotes()];
        Random random = new(41);
        for (int round = 0; round < 50_000; round++)
        {
            byte[] damaged = (byte[])files[random.Next(files.Length)].Clone();
            for (int change = random.Next(1, 4); change > 0; change--)
            {
                int at = random.Next(4) == 0 ? random.Next(damaged.Length - 8) : random.Next(400);
                if (random.Next(2) == 0)
                {
                    BinaryPrimitives.WriteUInt64LittleEndian(damaged.AsSpan(at & ~7), s_wild[random.Next(s_wild.Length)]);
                }
                else
                {
                    damaged[at] = (byte)random.Next(256);
                }
            }

            Load(damaged);
        }
    }

    [Fact]
    public void SurvivesRandomTextInTheGuestSection()
    {
        string[] pieces = ["VIRT_BASE", "VIRT_ENTRY", "ELF_PADDR_OFFSET", "HYPERCALL_PAGE", "PAE", "=", "=", ",", ",", "0x", "ffffffff80000000", "yes", "no", "-1", "99999999999999999999", "\0", " "];
        Random random = new(43);
        for (int round = 0; round < 20_000; round++)
        {
            StringBuilder text = new();
            for (int i = random.Next(16); i > 0; i--)
            {
                text.Append(pieces[random.Next(pieces.Length)]);
            }

            Load(KernelFile.WithGuestSection(text.ToString()));
        }
    }

    /// <summary>The way of a boot module up to the layout of its domain.</summary>
    private static LoadError Load(ReadOnlySpan<byte> module)
    {
        LoadError error = KernelUnpacker.TryInspect(module, out ReadOnlySpan<byte> payload, out uint unpackedBytes);
        if (error != LoadError.None)
        {
            return error;
        }

        // A larger claim is refused by the memory that there is.
        if (unpackedBytes > 1 << 20)
        {
            return LoadError.TooBig;
        }

        byte[] output = new byte[unpackedBytes];
        if (unpackedBytes != 0)
        {
            error = KernelUnpacker.Unpack(payload, output);
        }

        ReadOnlySpan<byte> file = unpackedBytes == 0 ? payload : output;
        if (error == LoadError.None)
        {
            error = Elf64.TryOpen(file, out Elf64 elf);
            if (error == LoadError.None)
            {
                error = XenNotes.TryRead(in elf, out XenNotes notes);
                return error != LoadError.None ? error : KernelExtent.TryMeasure(in elf, in notes, out _, out _);
            }
        }

        return error;
    }
}
