// The hypervisor's command line.
using System.Text;
using Xenolith.Hypervisor.Options;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Options;

public sealed class OptionParserTests
{
    public OptionParserTests() => FakeMachine.Reset(32);

    [Theory]
    [InlineData("512M", 131_072UL)]
    [InlineData("524288", 131_072UL)]
    [InlineData("1G", 262_144UL)]
    [InlineData("0x200M", 131_072UL)]
    [InlineData("50%", 262_144UL)]
    [InlineData("-256M", 458_752UL)]
    [InlineData("256M+25%", 196_608UL)]
    [InlineData("8G", 524_288UL)]
    public void UnderstandsSizes(string text, ulong expectedFrames)
    {
        Assert.True(Parse($"dom0_mem={text}", out _));
        Assert.Equal(expectedFrames, BootOptions.Domain0Memory.Frames(524_288));
    }

    [Fact]
    public void UnderstandsBounds()
    {
        Assert.True(Parse("dom0_mem=512M,min:128M,max:1G", out _));
        Assert.Equal(131_072UL, BootOptions.Domain0Memory.Frames(1 << 20));
        Assert.Equal(32_768UL, BootOptions.Domain0MinimumMemory.Frames(1 << 20));
        Assert.Equal(262_144UL, BootOptions.Domain0MaximumMemory.Frames(1 << 20));
    }

    [Fact]
    public void UnderstandsTheOptionsOfAUsualXenSetup()
    {
        Assert.True(Parse("console=com1 com1=38400,8n1 loglvl=all guest_loglvl=error/warning noreboot dom0_max_vcpus=2 maxcpus=4 sched=credit2 smap=0 smep=no", out _));
        Assert.Equal(38_400u, BootOptions.SerialRate);
        Assert.Equal((ushort)0x3F8, BootOptions.SerialBase);
        Assert.Equal((4, 2), (BootOptions.LogLevel, BootOptions.GuestLogLevel));
        Assert.True(BootOptions.NoReboot);
        Assert.False(BootOptions.AllowSmap || BootOptions.AllowSmep);
        Assert.Equal((2u, 4u), (BootOptions.Domain0Vcpus, BootOptions.MaximumProcessors));
    }

    [Theory]
    [InlineData("dom0_mem=lots")]
    [InlineData("dom0_mem=")]
    [InlineData("dom0_mem=512Q")]
    [InlineData("dom0_mem=101%")]
    [InlineData("dom0_mem=min:")]
    [InlineData("dom0_mem=99999999999999999999G")]
    [InlineData("com1=12345")]
    [InlineData("com1=115200,7e2")]
    [InlineData("console=printer")]
    [InlineData("noreboot=maybe")]
    [InlineData("smap=2")]
    [InlineData("dom0_max_vcpus=0")]
    [InlineData("dom0_max_vcpus=33")]
    [InlineData("maxcpus=many")]
    [InlineData("loglvl=shouting")]
    [InlineData("sched=fair")]
    public void NamesTheMalformedOption(string option)
    {
        Assert.False(Parse($"loglvl=all {option} noreboot", out string word));
        Assert.Equal(option, word);
    }

    [Fact]
    public void IgnoresUnknownOptions() => Assert.True(Parse("iommu=off  watchdog   foo=bar=baz", out _));

    [Fact]
    public void SurvivesRandomText()
    {
        Random random = new(23);
        string[] pieces = ["dom0_mem", "=", ",", "min:", "%", "+", "-", "512M", " ", "com1", "\u00ff", "max:", "0x", "loglvl", "/"];
        for (int round = 0; round < 20_000; round++)
        {
            StringBuilder text = new();
            for (int i = random.Next(12); i > 0; i--)
            {
                text.Append(pieces[random.Next(pieces.Length)]);
            }

            Parse(text.ToString(), out _);
        }
    }

    private static bool Parse(string line, out string word)
    {
        bool parsed = OptionParser.TryParse(Encoding.Latin1.GetBytes(line), out ReadOnlySpan<byte> found, out ReadOnlySpan<byte> expected);
        word = Encoding.Latin1.GetString(found);
        Assert.True(parsed || expected.Length != 0, "an error must say what is expected");
        return parsed;
    }
}
