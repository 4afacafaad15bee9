// The zstd decoder against files of the real zstd.
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class ZstdTests
{
    [Theory]
    [InlineData("-1 --check")]
    [InlineData("--fast=5 --no-check")]
    [InlineData("-3 --no-check")]
    [InlineData("-9 --check --long=27")]
    [InlineData("-19 --check")]
    [InlineData("-19 --check --zstd=wlog=10,tlen=999")]
    [InlineData("-5 --check --no-compress-literals")]
    public void UnpacksWhatZstdPacks(string options)
    {
        byte[] text = Samples.Text(400_000, 1);
        byte[] code = Samples.Code(200_000, 3);
        byte[][] samples =
        [
            text, Samples.Random(200_000, 2), code, [], [42], new byte[500_000], Samples.Skewed(400_000, 4, 200), Samples.Skewed(300_000, 5, 3),
            Samples.Skewed(300, 6, 20), [.. code, .. text, .. code, .. text], Samples.Pattern(200_000, 7),
        ];
        foreach (byte[] sample in samples)
        {
            AssertUnpacks(sample, Packer.Zstd(sample, options), options);
        }
    }

    [Fact]
    public void UnpacksTheStrongestLevelWhichLinuxUses()
    {
        byte[] sample = [.. Samples.Code(300_000, 3), .. Samples.Text(1_000_000, 1), .. Samples.Code(300_000, 3), .. Samples.Pattern(200_000, 7)];
        AssertUnpacks(sample, Packer.Zstd(sample, "--ultra -22"), "--ultra -22");
    }

    [Fact]
    public void UnpacksSmallLengthsAndThoseAroundALimit()
    {
        foreach (int length in (int[])[1, 2, 5, 7, 8, 9, 15, 31, 33, 63, 64, 65, 127, 255, 256, 257, 511, 1000, 1023, 1025, 16_383, 16_385, 131_071, 131_072, 131_073])
        {
            byte[] sample = Samples.Skewed(length, length, 9);
            AssertUnpacks(sample, Packer.Zstd(sample), $"{length} bytes");
        }
    }

    [Fact]
    public void UnpacksFramesOneAfterTheOtherAndSkipsOthers()
    {
        byte[] first = Samples.Text(5000, 1);
        byte[] second = Samples.Code(6000, 2);
        byte[] skippable = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
        byte[] packed = [.. skippable, .. Packer.Zstd(first), .. Packer.Zstd([]), .. skippable, .. Packer.Zstd(second, "-19 --no-check"), .. skippable];
        AssertUnpacks([.. first, .. second], packed, "several frames");
    }

    [Fact]
    public void RefusesAMatchBeforeItsFrame()
    {
        // A block of one sequence: no literals, predefined codes, the offset 1 of a new frame, for which nothing is there yet.
        byte[] packed = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50, 0x2D, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02];
        Assert.Equal(UnpackResult.Corrupt, Zstd.Unpack(packed, new byte[100], out _));
        Assert.Equal(UnpackResult.Corrupt, Zstd.Unpack([.. Packer.Zstd(new byte[50]), .. packed], new byte[100], out _));
    }

    [Theory]
    [InlineData("-1 --check")]
    [InlineData("-19 --check")]
    [InlineData("-3 --no-check")]
    public void RefusesEveryTruncation(string options)
    {
        byte[] packed = Packer.Zstd(Samples.Text(3000, 5), options);
        byte[] output = new byte[3000];
        for (int length = 0; length < packed.Length; length++)
        {
            Assert.Equal(UnpackResult.Truncated, Zstd.Unpack(packed.AsSpan(0, length), output, out _));
        }
    }

    [Fact]
    public void RefusesDataThatTheChecksumContradicts()
    {
        byte[] sample = Samples.Text(4000, 7);
        byte[] packed = Packer.Zstd(sample, "-19 --check");
        byte[] output = new byte[sample.Length + 100];
        for (int bit = 0; bit < packed.Length * 8; bit++)
        {
            byte[] damaged = (byte[])packed.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit & 7));
            UnpackResult result = Zstd.Unpack(damaged, output, out int written);

            // A larger window, an unused bit, and the flag that announces the checksum: then four bytes are left over.
            bool harmless = sample.AsSpan().SequenceEqual(output.AsSpan(0, written));
            Assert.True(result != UnpackResult.Done || harmless, $"the flipped bit {bit} went unnoticed");
        }
    }

    [Theory]
    [InlineData(1, "-1 --no-check")]
    [InlineData(2, "-19 --no-check")]
    [InlineData(3, "-12 --no-check")]
    public void SurvivesRandomDamage(int seed, string options)
    {
        byte[][] files = [Packer.Zstd(Samples.Text(2000, seed), options), Packer.Zstd(Samples.Skewed(900, seed, 40), options), Packer.Zstd(Samples.Code(2500, seed), options)];
        byte[] output = new byte[3000];
        Random random = new(13 + seed);
        for (int round = 0; round < 30_000; round++)
        {
            byte[] damaged = (byte[])files[round % files.Length].Clone();
            for (int change = random.Next(1, 6); change > 0; change--)
            {
                // The headers of frame, block, literals and tables are where most rules are.
                int at = random.Next(2) == 0 ? random.Next(4, Math.Min(60, damaged.Length)) : random.Next(damaged.Length);
                damaged[at] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)(damaged[at] ^ (1 << random.Next(8)));
            }

            Zstd.Unpack(damaged, output.AsSpan(0, random.Next(4) == 0 ? random.Next(3000) : 3000), out int written);
            Assert.InRange(written, 0, output.Length);
        }
    }

    [Fact]
    public void SurvivesRandomBlocks()
    {
        byte[] output = new byte[3000];
        Random random = new(29);
        for (int round = 0; round < 50_000; round++)
        {
            byte[] body = new byte[random.Next(3, 120)];
            random.NextBytes(body);
            int header = (body.Length << 3) | 5;
            byte[] packed = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x50, (byte)header, (byte)(header >> 8), (byte)(header >> 16), .. body];
            Zstd.Unpack(packed, output, out int written);
            Assert.InRange(written, 0, output.Length);
        }
    }

    [Fact]
    public void ReportsAnOutputThatIsTooSmall()
    {
        byte[][] samples = [Samples.Text(5000, 9), Samples.Random(5000, 9), new byte[5000]];
        foreach (byte[] sample in samples)
        {
            byte[] packed = Packer.Zstd(sample);
            for (int length = 0; length < 5000; length += 7)
            {
                Assert.Equal(UnpackResult.TooBig, Zstd.Unpack(packed, new byte[length], out _));
            }
        }
    }

    [Fact]
    public void RefusesALengthThatDoesNotFit()
    {
        // A single segment of 5 bytes whose only block has 4.
        byte[] packed = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 5, 0x21, 0, 0, 1, 2, 3, 4];
        byte[] output = new byte[10];
        Assert.Equal(UnpackResult.Corrupt, Zstd.Unpack(packed, output, out _));
        packed[5] = 4;
        Assert.Equal(UnpackResult.Done, Zstd.Unpack(packed, output, out int written));
        Assert.Equal([1, 2, 3, 4], output[..written]);
    }

    [Fact]
    public void NamesWhatItDoesNotSupport()
    {
        byte[] withDictionary = [0x28, 0xB5, 0x2F, 0xFD, 0x21, 7, 4, 0x21, 0, 0, 1, 2, 3, 4];
        Assert.Equal(UnpackResult.Unsupported, Zstd.Unpack(withDictionary, new byte[4], out _));
        withDictionary[5] = 0;
        Assert.Equal(UnpackResult.Done, Zstd.Unpack(withDictionary, new byte[4], out _));
    }

    [Theory]
    [InlineData(0, 0xEF46_DB37_51D8_E999)]
    [InlineData(1, 0xD24E_C4F1_A98C_6E5B)]
    [InlineData(3, 0x44BC_2CF5_AD77_0999)]
    public void ComputesTheChecksum(int length, ulong expected)
        => Assert.Equal(expected, XxHash64.Of("abc"u8[..length]));

    private static void AssertUnpacks(byte[] sample, byte[] packed, string what)
    {
        byte[] output = new byte[sample.Length];
        UnpackResult result = Zstd.Unpack(packed, output, out int written);
        Assert.True(result == UnpackResult.Done, $"{sample.Length} bytes with {what}: {result}");
        Assert.Equal(sample.Length, written);
        Assert.True(sample.AsSpan().SequenceEqual(output), $"{sample.Length} bytes with {what} differ");

        // More room, into which the decoder may copy in larger steps, changes nothing.
        byte[] larger = new byte[sample.Length + 100];
        Assert.Equal(UnpackResult.Done, Zstd.Unpack(packed, larger, out written));
        Assert.True(sample.AsSpan().SequenceEqual(larger.AsSpan(0, written)));
    }
}
