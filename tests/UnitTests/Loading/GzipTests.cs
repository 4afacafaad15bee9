// The gzip decoder against files of the real gzip.
using Xenolith.Loading;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Loading;

public sealed class GzipTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(9)]
    public void UnpacksWhatGzipPacks(int level)
    {
        byte[][] samples = [Samples.Text(700_000, 1), Samples.Random(200_000, 2), Samples.Code(300_000, 3), [], [42], new byte[500_000]];
        foreach (byte[] sample in samples)
        {
            byte[] output = new byte[sample.Length];
            Assert.Equal(UnpackResult.Done, Gzip.Unpack(Packer.Gzip(sample, level), output, out int written));
            Assert.Equal(sample.Length, written);
            Assert.True(sample.AsSpan().SequenceEqual(output));
        }
    }

    [Fact]
    public void SkipsTheNameInTheHeader()
    {
        byte[] packed = Packer.Gzip([1, 2, 3]);
        byte[] named = [.. packed.AsSpan(0, 3), (byte)(packed[3] | 8), .. packed.AsSpan(4, 6), (byte)'k', 0, .. packed.AsSpan(10)];
        byte[] output = new byte[3];
        Assert.Equal(UnpackResult.Done, Gzip.Unpack(named, output, out _));
        Assert.Equal([1, 2, 3], output);
    }

    [Fact]
    public void RefusesEveryTruncation()
    {
        byte[] packed = Packer.Gzip(Samples.Text(3000, 5));
        byte[] output = new byte[3000];
        for (int length = 0; length < packed.Length; length++)
        {
            Assert.NotEqual(UnpackResult.Done, Gzip.Unpack(packed.AsSpan(0, length), output, out _));
        }
    }

    [Fact]
    public void RefusesDataThatTheChecksumContradicts()
    {
        byte[] sample = Samples.Text(4000, 7);
        byte[] packed = Packer.Gzip(sample);
        byte[] output = new byte[sample.Length + 100];
        Random random = new(11);
        for (int round = 0; round < 5000; round++)
        {
            byte[] damaged = (byte[])packed.Clone();
            damaged[random.Next(10, damaged.Length)] ^= (byte)(1 << random.Next(8));
            UnpackResult result = Gzip.Unpack(damaged, output, out int written);
            bool harmless = result == UnpackResult.Done && sample.AsSpan().SequenceEqual(output.AsSpan(0, written));
            Assert.True(result != UnpackResult.Done || harmless);
        }
    }

    [Fact]
    public void SurvivesRandomInput()
    {
        byte[] output = new byte[2000];
        Random random = new(17);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] input = new byte[random.Next(200)];
            random.NextBytes(input);
            Inflate.Unpack(input, output, out int used, out int written);
            Assert.InRange(used, 0, input.Length);
            Assert.InRange(written, 0, output.Length);
        }
    }
}
