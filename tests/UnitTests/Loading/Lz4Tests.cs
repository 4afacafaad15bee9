// The lz4 decoder against files of the real lz4.
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class Lz4Tests
{
    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(12)]
    public void UnpacksWhatLz4Packs(int level)
    {
        byte[][] samples =
        [
            Samples.Text(700_000, 1), Samples.Random(200_000, 2), Samples.Code(300_000, 3), [], [42], new byte[500_000], Samples.Pattern(200_000, 7),
            Samples.Skewed(100, 1, 5), [.. Samples.Text(9 << 20, 4), .. Samples.Random(9 << 20, 5)],
        ];
        foreach (byte[] sample in samples)
        {
            AssertUnpacks(sample, Packer.Lz4(sample, level));
        }
    }

    [Fact]
    public void UnpacksFilesOneAfterTheOther()
    {
        byte[] first = Samples.Text(5000, 1);
        byte[] second = Samples.Code(6000, 2);
        AssertUnpacks([.. first, .. second], [.. Packer.Lz4(first), .. Packer.Lz4(second)]);
    }

    [Fact]
    public void RefusesEveryTruncation()
    {
        byte[] packed = Packer.Lz4(Samples.Text(3000, 5));
        byte[] output = new byte[3000];
        for (int length = 0; length < packed.Length; length++)
        {
            // The format has no end mark: behind the first four bytes, nothing is missing from an empty file.
            UnpackResult expected = length == 4 ? UnpackResult.Done : UnpackResult.Truncated;
            Assert.Equal(expected, Lz4.Unpack(packed.AsSpan(0, length), output, out int written));
            Assert.Equal(0, written);
        }
    }

    [Fact]
    public void RefusesEveryTruncationOfABlock()
    {
        byte[] packed = Packer.Lz4(Samples.Text(3000, 5));
        byte[] output = new byte[3000];
        for (int length = 8; length < packed.Length; length++)
        {
            byte[] shorter = packed[..length];
            BitConverter.TryWriteBytes(shorter.AsSpan(4), length - 8);
            UnpackResult result = Lz4.Unpack(shorter, output, out int written);
            Assert.True(result == UnpackResult.Corrupt || (result == UnpackResult.Done && written < 3000), $"{length} bytes: {result}");
        }
    }

    [Fact]
    public void SurvivesRandomDamage()
    {
        byte[][] files = [Packer.Lz4(Samples.Text(2000, 8)), Packer.Lz4(Samples.Pattern(2500, 8)), Packer.Lz4(Samples.Code(1000, 8), 1)];
        byte[] output = new byte[3000];
        Random random = new(13);
        for (int round = 0; round < 50_000; round++)
        {
            byte[] damaged = (byte[])files[round % files.Length].Clone();
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                int at = random.Next(4) == 0 ? random.Next(4, 40) : random.Next(4, damaged.Length);
                damaged[at] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(damaged[at] ^ (1 << random.Next(8)));
            }

            Lz4.Unpack(damaged, output.AsSpan(0, random.Next(4) == 0 ? random.Next(3000) : 3000), out int written);
            Assert.InRange(written, 0, output.Length);
        }
    }

    [Fact]
    public void RefusesALengthThatOverflows()
    {
        // The longest run of length bytes that a block may have; their sum does not fit into 31 bits.
        byte[] packed = new byte[8 + (8 << 20) + ((8 << 20) / 255) + 16];
        packed.AsSpan().Fill(255);
        BitConverter.TryWriteBytes(packed, 0x184C_2102);
        BitConverter.TryWriteBytes(packed.AsSpan(4), packed.Length - 8);
        Assert.Equal(UnpackResult.Corrupt, Lz4.Unpack(packed, new byte[9 << 20], out _));
    }

    [Fact]
    public void RefusesABlockOfMoreThanEightMebibytes()
    {
        // One literal, then a match over one byte whose length is 255 a byte.
        byte[] packed = [0x02, 0x21, 0x4C, 0x18, 0, 0, 0, 0, 0x1F, 7, 1, 0, .. new byte[33_000], 0];
        packed.AsSpan(12, 33_000).Fill(255);
        BitConverter.TryWriteBytes(packed.AsSpan(4), packed.Length - 8);
        Assert.Equal(UnpackResult.Corrupt, Lz4.Unpack(packed, new byte[9 << 20], out _));
    }

    [Fact]
    public void ReportsAnOutputThatIsTooSmall()
    {
        byte[][] samples = [Samples.Text(5000, 9), Samples.Random(5000, 9), new byte[5000]];
        foreach (byte[] sample in samples)
        {
            byte[] packed = Packer.Lz4(sample);
            for (int length = 0; length < 5000; length += 7)
            {
                Assert.Equal(UnpackResult.TooBig, Lz4.Unpack(packed, new byte[length], out _));
            }
        }
    }

    private static void AssertUnpacks(byte[] sample, byte[] packed)
    {
        byte[] output = new byte[sample.Length];
        Assert.Equal(UnpackResult.Done, Lz4.Unpack(packed, output, out int written));
        Assert.Equal(sample.Length, written);
        Assert.True(sample.AsSpan().SequenceEqual(output), $"{sample.Length} bytes differ");
    }
}
