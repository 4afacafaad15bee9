// Flushes that cannot wait for the return to the guest, because other processors run guests meanwhile.
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Memory;

public sealed class SharedTranslationTests : IDisposable
{
    private readonly TestDomain _domain = TestDomain.Create();
    private int _flushes;

    public SharedTranslationTests()
    {
        ProcessorTable.Count = 2;
        ProcessorTable.At(1) = Processor.New(1, 0);
        ProcessorTable.At(1).LoadedDomain = _domain.Id;
        FakeCpu.DeviceRead = (_, _) => 0;
        Interleaving.OnPause = ServeAsTheOther;
    }

    public void Dispose()
    {
        Interleaving.OnPause = null;
        ProcessorTable.Count = 1;
    }

    [Fact]
    public void AFreedFrameIsGivenOutAfterTheOthersHaveFlushed()
    {
        Assert.True(DomainFrames.TryRelease(ref _domain.Domain, _domain.NewPage()));
        Assert.Equal(0, _flushes);
        Assert.True(FrameAllocator.TryAllocate(0, 64, out _));
        Assert.Equal(1, _flushes);
    }

    [Fact]
    public void AFrameBecomesATableAfterTheOthersHaveFlushed()
    {
        Mfn page = _domain.NewPage();
        Assert.Equal(0, _domain.SetWindow(1, TestDomain.Entry(page, TestDomain.ReadWrite)));
        Assert.Equal(0, _domain.SetWindow(1, 0));
        _flushes = 0;
        Interleaving.OnPause = () =>
        {
            Assert.Equal(0u, TestDomain.Frame(page).TypeCount);
            ServeAsTheOther();
        };
        Assert.Equal(0, _domain.Pin(page, 1));
        Assert.Equal(1, _flushes);
    }

    [Fact]
    public void WhatWasATableCanBeWrittenAfterTheOthersHaveFlushed()
    {
        Mfn table = _domain.NewTable();
        Assert.Equal(0, _domain.Pin(table, 1));
        Assert.Equal(0, _domain.Unpin(table));
        TlbClock.RequestFlush(_domain.Id);
        _flushes = 0;
        Assert.True(TestDomain.Frame(table).TryAddWritable());
        Assert.Equal(1, _flushes);
    }

    private void ServeAsTheOther()
    {
        FakeCpu.Index = 1;
        RemoteRequests.Serve();
        FakeCpu.Index = 0;
        _flushes++;
    }
}
