// What Domain 0's kernel tells of devices, read from a directory that looks like its own.
using Xenod.Machine;

namespace Xenolith.Toolstack.Tests.Machine;

public sealed class DeviceCountersTests : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("xenod-test");

    public void Dispose() => _root.Delete(recursive: true);

    [Fact]
    public void TheCountersOfOneDomainsDevicesAreRead()
    {
        Write("bus/xen-backend/devices/vbd-1-51712/statistics", ("rd_req", "3"), ("rd_sect", "40"), ("wr_req", "2"), ("wr_sect", "16"));
        Write("bus/xen-backend/devices/vbd-11-51712/statistics", ("rd_req", "9"));
        Write("bus/xen-backend/devices/vif-1-0/net/vif1.0/statistics", ("tx_bytes", "100"), ("tx_packets", "4"), ("rx_bytes", "200"), ("rx_packets", "5"), ("tx_dropped", "1"));
        Write("kernel/debug/xen-netback/vif1.0", ("io_ring_q0", Queue(0, 4294967295, 4294967290)), ("io_ring_q1", Queue(1, 12, 12)), ("ctrl", "other"));
        DeviceCounters counters = DeviceCounters.Read(_root.FullName, 1);
        Assert.Equal(new DiskCounters("51712", 3, 20480, 2, 8192), Assert.Single(counters.Disks));
        InterfaceCounters one = Assert.Single(counters.Interfaces);
        Assert.Equal((100, 4, 200, 5, 1), (one.ReceivedBytes, one.ReceivedPackets, one.SentBytes, one.SentPackets, one.DroppedPackets));
        Assert.Equal([new InterfaceRing(0, 5, 256), new InterfaceRing(1, 0, 256)], one.Rings);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Queue x\nTX: nr_ents 256\n")]
    [InlineData("Queue 0\nTX: nr_ents 256\nreq prod 7 (0) cons 7 (0) event 8 (1)\nrsp prod 7 (base) pvt 7 (0)\n")]
    public void WhatIsNoRingIsNotTakenForOne(string text) => Assert.Null(InterfaceRing.Parse(text));

    [Fact]
    public void CountersOfARingGoRound() => Assert.Equal(new InterfaceRing(3, 6, 256), InterfaceRing.Parse(Queue(3, 2, 4294967292)));

    private static string Queue(int number, uint produced, uint answered)
        => $"Queue {number}\nTX: nr_ents 256\nreq prod {produced} (0) cons 7 (0) event 8 (1)\nrsp prod {answered} (base) pvt 7 (0) event 8 (1)\npending prod 263 pending cons 7 nr_pending_reqs 0\n\n"
            + "RX: nr_ents 256\nreq prod 267 (256) cons 11 (0) event 1 (-10)\nrsp prod 11 (base) pvt 11 (0) event 12 (1)\n\nNAPI state: 10 NAPI weight: 64\n";

    private void Write(string directory, params (string Name, string Text)[] files)
    {
        DirectoryInfo made = _root.CreateSubdirectory(directory);
        foreach ((string name, string text) in files)
        {
            File.WriteAllText(Path.Combine(made.FullName, name), text);
        }
    }
}
