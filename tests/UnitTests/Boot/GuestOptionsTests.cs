// What boot modules say about the domains that they are for.
using System.Text;
using Xenolith.Hypervisor.Boot.Domain0;
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Options;

namespace Xenolith.UnitTests.Boot;

public sealed class GuestOptionsTests
{
    [Fact]
    public void ReadsAllThatAModuleCanSay()
    {
        Assert.True(GuestOptions.TryParse(
            "domain=web.1 memory=64 vcpus=3 count=20 weight=512 cap=250 on_poweroff=preserve on_reboot=restart on_crash=destroy -- console=hvc0 a=b -- c"u8, out GuestOptions options, out _, out _));
        Assert.Equal("web.1", Encoding.ASCII.GetString(options.Name));
        Assert.Equal(16384UL, options.Pages);
        Assert.Equal(3, options.Vcpus);
        Assert.Equal(20, options.Instances);
        Assert.Equal((512, 250), (options.Weight, options.Cap));
        Assert.Equal((EndAction.Preserve, EndAction.Restart, EndAction.Destroy), (options.OnPowerOff, options.OnReboot, options.OnCrash));
        Assert.Equal("console=hvc0 a=b -- c", Encoding.ASCII.GetString(options.CommandLine));
    }

    [Fact]
    public void LeavesTheRestAtSensibleValues()
    {
        Assert.True(GuestOptions.TryParse("domain=x"u8, out GuestOptions options, out _, out _));
        Assert.Equal((128UL, 1, 1, 0), (options.Megabytes, options.Vcpus, options.Instances, options.Count));
        Assert.Equal((256, 0), (options.Weight, options.Cap));
        Assert.True(options.CommandLine.IsEmpty);
        Assert.Equal((EndAction.Destroy, EndAction.Destroy, EndAction.Destroy), (options.OnPowerOff, options.OnReboot, options.OnCrash));
    }

    [Theory]
    [InlineData("domain=", "domain=")]
    [InlineData("domain=a/b", "domain=a/b")]
    [InlineData("domain=0123456789012345678901234567890123", "domain=0123456789012345678901234567890123")]
    [InlineData("domain=x memory=", "memory=")]
    [InlineData("domain=x memory=64M", "memory=64M")]
    [InlineData("domain=x memory=0", "memory=0")]
    [InlineData("domain=x memory=99999999999999999999", "memory=99999999999999999999")]
    [InlineData("domain=x memory=18446744073709551615", "memory=18446744073709551615")]
    [InlineData("domain=x vcpus=0", "vcpus=0")]
    [InlineData("domain=x vcpus=33", "vcpus=33")]
    [InlineData("domain=x vcpus=4294967297", "vcpus=4294967297")]
    [InlineData("domain=x count=4096", "count=4096")]
    [InlineData("domain=x weight=0", "weight=0")]
    [InlineData("domain=x weight=65536", "weight=65536")]
    [InlineData("domain=x cap=0", "cap=0")]
    [InlineData("domain=x cap=25%", "cap=25%")]
    [InlineData("domain=x cap=3201", "cap=3201")]
    [InlineData("domain=x on_crash=explode", "on_crash=explode")]
    [InlineData("domain=x colour=red", "colour=red")]
    [InlineData("domain=x memory", "memory")]
    [InlineData("domain=0123456789012345678901234567 count=3", "0123456789012345678901234567")]
    public void NamesTheWordThatIsWrong(string text, string word)
    {
        Assert.False(GuestOptions.TryParse(Encoding.ASCII.GetBytes(text), out _, out ReadOnlySpan<byte> wrong, out ReadOnlySpan<byte> expected));
        Assert.Equal(word, Encoding.ASCII.GetString(wrong));
        Assert.True(!expected.IsEmpty || word is "colour=red" or "memory");
    }

    /// <summary>Any bytes: an answer, never a fault, and what is accepted keeps within the bounds.</summary>
    [Fact]
    public void SurvivesAnyText()
    {
        Random random = new(7);
        string[] words = ["domain=a", "memory=", "vcpus=", "count=", "weight=", "cap=", "--", "=", "on_reboot=restart", "9", "=9", " ", "domain=", "4095"];
        for (int round = 0; round < 20_000; round++)
        {
            StringBuilder text = new();
            for (int i = random.Next(8); i > 0; i--)
            {
                text.Append(words[random.Next(words.Length)]).Append(random.Next(3) == 0 ? (char)random.Next(256) : ' ');
            }

            if (GuestOptions.TryParse(Encoding.Latin1.GetBytes(text.ToString()), out GuestOptions options, out _, out _))
            {
                Assert.InRange(options.Vcpus, 1, 32);
                Assert.InRange(options.Instances, 1, 4095);
                Assert.InRange(options.Weight, 1, 65535);
                Assert.InRange(options.Cap, 0, 3200);
                Assert.InRange(options.Megabytes, 1UL, 1UL << 24);
                Assert.InRange(options.Name.Length, 0, GuestOptions.MaximumName);
            }
        }
    }

    [Theory]
    [InlineData(1024, 200, 1024 - 200 - 2)]
    [InlineData(1024, 0, 1024 - 2)]
    [InlineData(256, 200, 128)]
    [InlineData(64, 200, 62)]
    public void Domain0LeavesOthersWhatTheyNeedButNotAll(ulong availableMegabytes, ulong othersMegabytes, ulong expectedMegabytes)
    {
        BootOptions.Domain0Memory = default;
        BootOptions.Domain0MinimumMemory = default;
        BootOptions.Domain0MaximumMemory = default;
        Assert.Equal(expectedMegabytes << 8, Domain0Memory.Choose(availableMegabytes << 8, othersMegabytes << 8));
    }

    /// <summary>A machine may have more processors than a domain can have vcpus.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(32, 32)]
    [InlineData(64, 32)]
    public void Domain0HasAVcpuForEachProcessorAsFarAsADomainCan(int processors, int vcpus) => Assert.Equal(vcpus, Domain0Builder.DefaultVcpus(processors));
}
