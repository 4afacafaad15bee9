// The xz decoder against files of the real xz.
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class XzTests
{
    [Theory]
    [InlineData("--check=crc32 --x86 --lzma2=dict=32MiB")]
    [InlineData("--check=crc32 --lzma2=preset=0")]
    [InlineData("--check=none --lzma2=preset=6")]
    [InlineData("--check=crc32 --x86 --lzma2=preset=9e,lc=0,lp=2,pb=4")]
    [InlineData("--check=crc32 --lzma2=lc=4,lp=0,pb=0,nice=5")]
    [InlineData("--check=crc32 --block-size=65536 --x86 --lzma2=preset=1")]
    public void UnpacksWhatXzPacks(string options)
    {
        byte[][] samples = [Samples.Text(700_000, 1), Samples.Random(200_000, 2), Samples.Code(300_000, 3), [], [42], new byte[500_000]];
        foreach (byte[] sample in samples)
        {
            byte[] output = new byte[sample.Length];
            Assert.Equal(UnpackResult.Done, Xz.Unpack(Packer.Xz(sample, options), output, out int written));
            Assert.Equal(sample.Length, written);
            Assert.True(sample.AsSpan().SequenceEqual(output), $"{sample.Length} bytes with {options} differ");
        }
    }

    [Fact]
    public void RefusesEveryTruncation()
    {
        byte[] packed = Packer.Xz(Samples.Code(3000, 5));
        byte[] output = new byte[3000];

        // The index and the footer follow the last block; without its first byte, data may be missing.
        int index = IndexStart(packed);
        for (int length = 0; length <= index; length++)
        {
            Assert.NotEqual(UnpackResult.Done, Xz.Unpack(packed.AsSpan(0, length), output, out _));
        }

        Assert.Equal(UnpackResult.Done, Xz.Unpack(packed.AsSpan(0, index + 1), output, out _));
    }

    [Fact]
    public void RefusesDataThatTheChecksumContradicts()
    {
        byte[] sample = Samples.Text(4000, 7);
        byte[] packed = Packer.Xz(sample);
        byte[] output = new byte[sample.Length];
        Random random = new(11);
        int index = IndexStart(packed);
        for (int round = 0; round < 3000; round++)
        {
            byte[] damaged = (byte[])packed.Clone();
            int at = random.Next(12, index);
            damaged[at] ^= (byte)(1 << random.Next(8));
            UnpackResult result = Xz.Unpack(damaged, output, out int written);
            bool harmless = result == UnpackResult.Done && written == sample.Length && sample.AsSpan().SequenceEqual(output);
            Assert.True(result != UnpackResult.Done || harmless, $"a flipped bit in byte {at} went unnoticed");
        }
    }

    [Fact]
    public void SurvivesRandomInput()
    {
        byte[] packed = Packer.Xz(Samples.Text(2000, 8), "--check=none --lzma2=preset=0");
        byte[] output = new byte[2500];
        Random random = new(13);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] damaged = (byte[])packed.Clone();
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                damaged[random.Next(12, damaged.Length)] = (byte)random.Next(256);
            }

            Xz.Unpack(damaged, output, out int written);
            Assert.InRange(written, 0, output.Length);
        }
    }

    [Fact]
    public void ReportsAnOutputThatIsTooSmall()
    {
        byte[] packed = Packer.Xz(Samples.Text(5000, 9));
        Assert.Equal(UnpackResult.TooBig, Xz.Unpack(packed, new byte[4999], out _));
    }

    [Fact]
    public void NamesWhatItDoesNotSupport()
    {
        Assert.Equal(UnpackResult.Unsupported, Xz.Unpack(Packer.Xz([1, 2, 3], "--check=sha256"), new byte[3], out _));
        Assert.Equal(UnpackResult.Unsupported, Xz.Unpack(Packer.Xz([1, 2, 3], "--check=crc32 --arm --lzma2"), new byte[3], out _));
    }

    private static int IndexStart(byte[] packed)
    {
        // The footer's backward size counts the index in units of four bytes (.xz file format, 2.1.2.2).
        int footer = packed.Length - 12;
        return footer - ((BitConverter.ToInt32(packed, footer + 4) + 1) * 4);
    }
}
