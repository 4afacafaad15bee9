// Descriptions of disks, interfaces, rates and lists of processors.
using Xenolith.Toolstack.Configuration;

namespace Xenolith.Toolstack.Tests.Configuration;

public sealed class DeviceParserTests
{
    [Theory]
    [InlineData("/dev/vg/a,raw,xvda,rw", "/dev/vg/a", "xvda", DiskFormat.Raw, false)]
    [InlineData("/a.qcow2,qcow2,xvdb,r", "/a.qcow2", "xvdb", DiskFormat.Qcow2, true)]
    [InlineData("/a.list,extents,xvdb,w", "/a.list", "xvdb", DiskFormat.Extents, false)]
    [InlineData("vg/a,,xvda", "/dev/vg/a", "xvda", DiskFormat.Raw, false)]
    [InlineData("phy:/dev/vg/a,xvda1,w", "/dev/vg/a", "xvda1", DiskFormat.Raw, false)]
    [InlineData("tap:qcow2:/a,xvda,w", "/a", "xvda", DiskFormat.Qcow2, false)]
    [InlineData("format=raw, vdev=xvda, access=rw, target=/a,b=c", "/a,b=c", "xvda", DiskFormat.Raw, false)]
    [InlineData("vdev=hda, /a", "/a", "hda", DiskFormat.Raw, false)]
    [InlineData("/a.iso,,hdc,cdrom", "/a.iso", "hdc", DiskFormat.Raw, true)]
    [InlineData("file:/a.iso,hdc:cdrom,r", "/a.iso", "hdc", DiskFormat.Raw, true)]
    [InlineData(",empty,hdc,devtype=cdrom", "", "hdc", DiskFormat.Empty, true)]
    public void DisksAreRead(string text, string target, string device, DiskFormat format, bool isReadOnly)
    {
        DiskSpecification disk = DiskParser.Parse(text);
        Assert.Equal((target, device, format, isReadOnly), (disk.Target, disk.Device.Name, disk.Format, disk.IsReadOnly));
    }

    [Fact]
    public void ASharedDiskAndDiscardAreSaid()
    {
        DiskSpecification disk = DiskParser.Parse("/a,raw,xvda,w!,no-discard");
        Assert.True(disk.IsShared);
        Assert.False(disk.IsReadOnly);
        Assert.False(disk.AllowsDiscard);
        Assert.Null(DiskParser.Parse("/a,raw,xvda").AllowsDiscard);
    }

    [Theory]
    [InlineData("", "names no device for the guest")]
    [InlineData("/a", "names no device for the guest")]
    [InlineData("/a,raw,xvda,w,more", "stands behind the four places")]
    [InlineData("/a,raw,xvda,vdev=xvdb", "'vdev' is given twice")]
    [InlineData("/a,img,xvda", "the format 'img' is unknown")]
    [InlineData(",raw,xvda", "names no file")]
    [InlineData("/a,raw,vda", "names no disk of a guest")]
    [InlineData("iscsi:a,raw,xvda", "need a script")]
    [InlineData("/a,raw,xvda,script=block-x", "no scripts are run here")]
    [InlineData("/a,raw,xvda,backend=drv", "only Domain 0")]
    [InlineData("/a,raw,xvda,specification=virtio", "only Xen's own block protocol")]
    public void WrongDisksAreNamed(string text, string message) => Assert.Contains(message, Assert.Throws<FormatException>(() => DiskParser.Parse(text)).Message);

    [Theory]
    [InlineData("xvda", 202U << 8)]
    [InlineData("xvdb3", (202U << 8) | 0x13)]
    [InlineData("xvdp15", (202U << 8) | 0xFF)]
    [InlineData("xvdq", (1U << 28) | (16 << 8))]
    [InlineData("xvda16", (1U << 28) | 16)]
    [InlineData("xvdaa1", (1U << 28) | (26 << 8) | 1)]
    [InlineData("hda1", (3U << 8) | 1)]
    [InlineData("hdd", (22U << 8) | 64)]
    [InlineData("sdb", (8U << 8) | 16)]
    public void GuestsDevicesHaveTheirNumbers(string name, uint number) => Assert.Equal(number, VirtualDevice.Parse(name).Number);

    [Theory]
    [InlineData("")]
    [InlineData("xvd")]
    [InlineData("xvdA")]
    [InlineData("xvda0")]
    [InlineData("xvda01")]
    [InlineData("xvda256")]
    [InlineData("hde")]
    [InlineData("sdq")]
    [InlineData("xvdzzzzzzzzzzzzzzz")]
    [InlineData("xvda1b")]
    public void OtherNamesAreNoDevices(string name) => Assert.Throws<FormatException>(() => VirtualDevice.Parse(name));

    [Fact]
    public void InterfacesAreRead()
    {
        InterfaceSpecification found = InterfaceParser.Parse("mac=00:16:3e:1:2:a, bridge=br0, vifname=web, ip=10.0.0.2/24 fd00::2, rate=10Mb/s@20ms, rules=deny in; only to 10.0.0.0/8, mtu=1400, type=vif, script=".Replace(", script=", ""));
        Assert.Equal("00163E01020A", found.Mac!.ToString());
        Assert.Equal(("br0", "web", 1400), (found.Bridge, found.Name, found.Mtu));
        Assert.Equal(["10.0.0.2/24", "fd00::2"], found.Addresses);
        Assert.Equal(new NetworkRate(25_000, 20_000), found.Rate);
        Assert.Equal(["deny in", "only to 10.0.0.0/8"], found.Rules);
        Assert.Null(InterfaceParser.Parse("").Mac);
    }

    [Theory]
    [InlineData("mac=01:00:00:00:00:01", "is no Ethernet address of one interface")]
    [InlineData("mac=00:00:00:00:00:00", "is no Ethernet address of one interface")]
    [InlineData("mac=00:16:3e", "is no Ethernet address")]
    [InlineData("bridge=averyverylongname", "is no name of a network device")]
    [InlineData("bridge=", "is no name of a network device")]
    [InlineData("ip=10.0.0.256", "is no address")]
    [InlineData("ip=10.0.0.1/33", "is no address")]
    [InlineData("mtu=1", "mtu is a number of bytes")]
    [InlineData("rules=allow out; perhaps", "begins with none of")]
    [InlineData("script=vif-nat", "no scripts are run here")]
    [InlineData("colour=red", "'colour' is unknown")]
    [InlineData("mtu=1400,mtu=1400", "'mtu' is given twice")]
    [InlineData("gatewaydev=eth0", "a routed interface (gatewaydev=) needs the address")]
    [InlineData("gatewaydev=eth0, bridge=br0, ip=192.0.2.5", "or routed (gatewaydev=), not both")]
    [InlineData("type=ioemu", "only Xen's own network protocol")]
    public void WrongInterfacesAreNamed(string text, string message) => Assert.Contains(message, Assert.Throws<FormatException>(() => InterfaceParser.Parse(text)).Message);

    [Theory]
    [InlineData("8Kb/s", 50, 50_000)]
    [InlineData("1GB/s@1s", 1_000_000_000, 1_000_000)]
    [InlineData("100B/s@500ms", 50, 500_000)]
    public void RatesAreBytesInAnInterval(string text, ulong bytes, ulong microseconds) => Assert.Equal(new NetworkRate(bytes, microseconds), NetworkRate.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("10Mb")]
    [InlineData("Mb/s")]
    [InlineData("1b/s")]
    [InlineData("99999999999999999999GB/s")]
    [InlineData("18446744073GB/s")]
    [InlineData("1MB/s@")]
    [InlineData("1MB/s@0ms")]
    public void OtherTextsAreNoRates(string text) => Assert.Throws<FormatException>(() => NetworkRate.Parse(text));

    [Theory]
    [InlineData("all", "0,1,2,3")]
    [InlineData("1", "1")]
    [InlineData("0-2", "0,1,2")]
    [InlineData("0-3,^1", "0,2,3")]
    [InlineData("^0", "1,2,3")]
    [InlineData("node:1", "2,3")]
    [InlineData("nodes:0-1,^node:1", "0,1")]
    [InlineData("all,^nodes:0", "2,3")]
    [InlineData("3-9", "3")]
    public void ListsOfProcessorsAreResolvedOnTheMachine(string text, string expected)
        => Assert.Equal(expected, string.Join(',', CpuList.Parse(text).Resolve([0, 0, 1, 1])));

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("2-1")]
    [InlineData("1,,2")]
    [InlineData("-1")]
    public void OtherTextsAreNoLists(string text) => Assert.Throws<FormatException>(() => CpuList.Parse(text));

    [Fact]
    public void AListWithoutAProcessorOfTheMachineIsRefused() => Assert.Throws<FormatException>(() => CpuList.Parse("8").Resolve([0, 0]));
}
