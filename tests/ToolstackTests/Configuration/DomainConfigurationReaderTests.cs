// Domains' configurations from xl.cfg files.
using Xenolith.Toolstack.Configuration;

namespace Xenolith.Toolstack.Tests.Configuration;

public sealed class DomainConfigurationReaderTests
{
    private const string Whole =
        """
        # as an installer of Debian guests writes it
        bootloader = "pygrub"
        type = "pv"
        vcpus       = '2'
        maxvcpus    = 4
        memory      = '256'
        maxmem      = 512
        root        = '/dev/xvda2 ro'
        extra       = "quiet"
        disk        = [
                          'phy:/dev/vg0/guest-disk,xvda2,w',
                          'file:/srv/guest.swap,xvda1,r',
                      ]
        name        = 'guest'
        uuid        = "01234567-89ab-cdef-0123-456789abcdef"
        vif         = [ 'ip=10.0.0.5,mac=00:16:3E:12:34:56,bridge=xenbr0', '' ]
        cpus        = "0-3,^1"
        cpu_weight  = 512
        cap         = 150
        on_poweroff = 'destroy'
        on_reboot   = 'restart'
        on_crash    = 'preserve'
        """;

    [Fact]
    public void AWholeFileIsRead()
    {
        DomainConfiguration configuration = DomainConfigurationReader.Read(Whole, "guest.cfg", out IReadOnlyList<string> warnings);
        Assert.Empty(warnings);
        Assert.Equal("guest", configuration.Name);
        Assert.Equal((256, 512, 2, 4), (configuration.Memory, configuration.MaximumMemory, configuration.Vcpus, configuration.MaximumVcpus));
        Assert.Equal("root=/dev/xvda2 ro quiet", configuration.CommandLine);
        Assert.Null(configuration.Kernel);
        Assert.Equal(["/dev/vg0/guest-disk", "/srv/guest.swap"], configuration.Disks.Select(disk => disk.Target));
        Assert.Equal([(202U << 8) | 2, (202U << 8) | 1], configuration.Disks.Select(disk => disk.Device.Number));
        Assert.Equal([false, true], configuration.Disks.Select(disk => disk.IsReadOnly));
        Assert.Equal(Guid.Parse("01234567-89ab-cdef-0123-456789abcdef"), configuration.Uuid);
        Assert.Equal("00163E123456", configuration.Interfaces[0].Mac!.ToString());
        Assert.Equal(new InterfaceSpecification().Bridge, configuration.Interfaces[1].Bridge);
        Assert.Equal([0, 2, 3], Assert.Single(configuration.HardAffinity).Resolve([0, 0, 0, 0]));
        Assert.Equal((512, 150), (configuration.Weight, configuration.Cap));
        Assert.Equal((DomainAction.Destroy, DomainAction.Restart, DomainAction.Preserve), (configuration.OnPoweroff, configuration.OnReboot, configuration.OnCrash));
    }

    [Fact]
    public void WhatIsNotSaidIsXensDefault()
    {
        DomainConfiguration configuration = DomainConfigurationReader.Read("name='a'\nkernel='/k'", "a.cfg", out _);
        Assert.Equal((32, 32, 1, 1, 256, 0), (configuration.Memory, configuration.MaximumMemory, configuration.Vcpus, configuration.MaximumVcpus, configuration.Weight, configuration.Cap));
        Assert.Equal((DomainAction.Destroy, DomainAction.Restart, DomainAction.Destroy), (configuration.OnPoweroff, configuration.OnReboot, configuration.OnCrash));
        Assert.Null(configuration.Uuid);
    }

    [Theory]
    [InlineData("", "has no name")]
    [InlineData("name='a/b'", "file:1: 'a/b' cannot be a domain's name")]
    [InlineData("name='12'", "cannot be a domain's name")]
    [InlineData("name='a'", "nothing to boot")]
    [InlineData("name='a'\ntype='hvm'", "file:2: this is a domain of the type 'hvm'")]
    [InlineData("name='a'\nbuilder='hvm'", "file:2: this is a domain of the type 'hvm'")]
    [InlineData("name='a'\nkernel='k'\nmemory=0", "file:3: 'memory' is a number from 1")]
    [InlineData("name='a'\nkernel='k'\nmemory=64\nmaxmem=32", "file:4: maxmem (32) is less than memory (64)")]
    [InlineData("name='a'\nkernel='k'\nvcpus=33", "'vcpus' is a number from 1 to 32")]
    [InlineData("name='a'\nkernel='k'\nvcpus=4\nmaxvcpus=2", "maxvcpus (2) is less than vcpus (4)")]
    [InlineData("name='a'\nkernel='k'\npci=['0:0']", "file:3: 'pci' is not to be had here")]
    [InlineData("name='a'\nkernel='k'\nbootloader='pygrub'", "not both")]
    [InlineData("name='a'\nbootloader='/usr/bin/other'", "is not run here")]
    [InlineData("name='a'\nkernel='k'\nuuid='1'", "file:3: '1' is no uuid")]
    [InlineData("name='a'\nkernel='k'\non_crash='burn'", "'burn' is none of destroy")]
    [InlineData("name='a'\nkernel='k'\ndisk='a'", "'disk' is a list")]
    [InlineData("name='a'\nkernel='k'\ndisk=['/a,raw,xvda,w',\n'/b,raw,xvda,w']", "two disks have the name xvda")]
    [InlineData("name='a'\nkernel='k'\ndisk=['/a,raw,xvda,w',\n'/b,raw,xvdb,q']", "file:4: disk: the disk '/b,raw,xvdb,q': access is")]
    [InlineData("name='a'\nkernel='k'\nvif=['mac=00:16:3e:0:0:1','mac=00:16:3e:00:00:01']", "two interfaces have the Ethernet address")]
    [InlineData("name='a'\nkernel='k'\ncpus='x'", "file:3: cpus: 'x' in the list of processors")]
    [InlineData("name=['a']", "'name' is a text in quotes")]
    public void WhatIsWrongIsNamed(string text, string message)
        => Assert.Contains(message, Assert.Throws<ConfigurationException>(() => DomainConfigurationReader.Read(text, "file", out _)).Message);

    [Theory]
    [InlineData("vfb=['type=vnc']", "'vfb' has no effect")]
    [InlineData("on_crash='coredump-restart'", "no core is written")]
    [InlineData("unheard='x'", "'unheard' is unknown")]
    [InlineData("cmdline='a'\nextra='b'", "cmdline takes the place of root and extra")]
    public void WhatIsNotDoneIsWarnedOf(string line, string warning)
    {
        DomainConfigurationReader.Read("name='a'\nkernel='k'\n" + line, "file", out IReadOnlyList<string> warnings);
        Assert.Contains(warning, Assert.Single(warnings));
    }

    [Fact]
    public void ACommandLineTooLongForTheGuestIsRefused()
    {
        string text = $"name='a'\nkernel='k'\nextra='{new string('x', 1024)}'";
        Assert.Contains("1023 is the most", Assert.Throws<ConfigurationException>(() => DomainConfigurationReader.Read(text, "file", out _)).Message);
    }

    [Fact]
    public void DamagedFilesAreReadOrNamedNeverWorse()
    {
        const string Letters = "'\"[],;=+#\\\n^-: 0x9aZ\0\u00e9";
        Random random = new(7);
        int read = 0;
        for (int round = 0; round < 20_000; round++)
        {
            char[] text = Whole.ToCharArray();
            for (int damage = random.Next(1, 4); damage > 0; damage--)
            {
                text[random.Next(text.Length)] = Letters[random.Next(Letters.Length)];
            }

            try
            {
                DomainConfigurationReader.Read(new string(text, 0, random.Next(4) == 0 ? random.Next(text.Length) : text.Length), "file", out _);
                read++;
            }
            catch (ConfigurationException exception)
            {
                Assert.StartsWith("file:", exception.Message);
            }
        }

        Assert.InRange(read, 1, 19_999);
    }
}
