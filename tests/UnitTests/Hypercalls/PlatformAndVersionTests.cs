// platform_op, xen_version and console_io.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class PlatformAndVersionTests
{
    private const ulong Unmapped = 0x1000_0000;
    private const uint PlatformVersion = 0x0300_0001;

    private readonly TestDomain _domain = TestDomain.Create();

    [Fact]
    public void TimeIsSetForAllDomains()
    {
        TestDomain other = TestDomain.CreateOther(4);
        _domain.Store(8, 1_700_000_000);
        _domain.Store(16, 5);
        _domain.Store(24, 2_000_000_007);
        Assert.Equal(0, Platform(62));
        foreach (TestDomain domain in new[] { _domain, other })
        {
            Assert.Equal(1_699_999_997u, PhysicalMemory.Word32(domain.Domain.SharedInfo, SharedInfoLayout.WallClockSeconds));
            Assert.Equal(999_999_998u, PhysicalMemory.Word32(domain.Domain.SharedInfo, SharedInfoLayout.WallClockNanoseconds));
            Assert.Equal(0u, PhysicalMemory.Word32(domain.Domain.SharedInfo, SharedInfoLayout.WallClockVersion) & 1);
        }

        _domain.Store(16, 1_000_000_000);
        Assert.Equal(-(long)XenError.Invalid, Platform(62));
        _domain.Store(16, 1UL << 32);
        Assert.Equal(-(long)XenError.Invalid, Platform(62));
        _domain.Store(8, 1_700_000_000UL | (9UL << 32));
        _domain.Store(16, 0);
        Assert.Equal(0, Platform(17));
        Assert.Equal(9u, PhysicalMemory.Word32(_domain.Domain.SharedInfo, SharedInfoLayout.WallClockNanoseconds));
    }

    [Fact]
    public void ProcessorsAreDescribed()
    {
        _domain.Store(8, 0);
        Assert.Equal(0, Platform(55));
        Assert.Equal(1u, _domain.Load32(16));
        _domain.Store(8, 9);
        Assert.Equal(0, Platform(55));
        Assert.Equal(2u, _domain.Load32(16));
        _domain.Store(8, 0);
        Assert.Equal(0, Platform(48));
        Assert.Equal("GenuineIntel", System.Text.Encoding.ASCII.GetString(_domain.ArgumentBytes.Slice(16, 12)));
        Assert.Equal(6u, _domain.Load32(28));
        Assert.Equal(0x3Au, _domain.Load32(32));
        Assert.Equal(9u, _domain.Load32(36));
    }

    [Fact]
    public void IdleTimeIsToldForTheProcessorsThatExist()
    {
        ProcessorTable.Current.IdleTime = 1234;
        _domain.ArgumentBytes[512] = 0xFF;
        _domain.Store(8, _domain.Arguments + 512);
        _domain.Store(16, 8);
        _domain.Store(24, _domain.Arguments + 600);
        Assert.Equal(0, Platform(53));
        Assert.Equal(1, _domain.ArgumentBytes[512]);
        Assert.Equal(1234UL, _domain.Load(600));
        Assert.NotEqual(0UL, _domain.Load(32));
        _domain.Store(8, Unmapped);
        Assert.Equal(-(long)XenError.Fault, Platform(53));
        _domain.Store(16, 0);
        Assert.Equal(0, Platform(53));
    }

    [Fact]
    public void MemoryTypesAreReadAndNotChanged()
    {
        FakeCpu.Msrs[0xFE] = 0x508;
        FakeCpu.Msrs[0x204] = 0xC000_0000;
        FakeCpu.Msrs[0x205] = ((1UL << 40) - 0x4000_0000) | 0x800;
        FakeCpu.Msrs[0x206] = 0x1234_0000;
        FakeCpu.Msrs[0x207] = 0;
        _domain.Store(8, 2);
        Assert.Equal(0, Platform(33));
        Assert.Equal(0xC_0000UL, _domain.Load(16));
        Assert.Equal(0x4_0000UL, _domain.Load(24));
        _domain.Store(8, 3);
        Assert.Equal(0, Platform(33));
        Assert.Equal(0UL, _domain.Load(24));
        _domain.Store(8, 8);
        Assert.Equal(-(long)XenError.Invalid, Platform(33));
        Assert.Equal(-(long)XenError.NotSupported, Platform(31));
        Assert.Equal(-(long)XenError.NotSupported, Platform(35));
    }

    [Fact]
    public void WhoMayAskThePlatform()
    {
        Assert.Equal(-(long)XenError.NotImplemented, Platform(99));
        _domain.Store(0, 62);
        Assert.Equal(-(long)XenError.AccessDenied, _domain.Call(HypercallNumber.PlatformOp, _domain.Arguments));
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.PlatformOp, Unmapped));
        TestDomain other = TestDomain.CreateOther(4);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.PlatformOp, other.Arguments));
        _domain.Enter(0);
        _domain.Store(8, 1);
        Assert.Equal(-(long)XenError.NoSuchDomain, Platform(50));
        _domain.Store(8, 4);
        Assert.Equal(-(long)XenError.NotImplemented, Platform(50));
    }

    [Fact]
    public void Versions()
    {
        Assert.Equal(0x0004_0011, Version(0, Unmapped));
        Assert.Equal(4096, Version(7, 0));
        Assert.Equal(-(long)XenError.Invalid, Version(7, _domain.Arguments));
        foreach (ulong what in new ulong[] { 1, 2, 3, 4, 5, 8, 9 })
        {
            _domain.ArgumentBytes.Fill(0xEE);
            Assert.Equal(0, Version(what, _domain.Arguments));
            Assert.NotEqual(0xEE, _domain.ArgumentBytes[0]);
            Assert.Equal(-(long)XenError.Fault, Version(what, Unmapped));
        }

        _domain.Store32(0, 0);
        Assert.Equal(0, Version(6, _domain.Arguments));
        Assert.Equal(0x0002_28E0u, _domain.Load32(4));
        _domain.Store32(0, 1);
        Assert.Equal(-(long)XenError.Invalid, Version(6, _domain.Arguments));
        Assert.Equal(-(long)XenError.NotImplemented, Version(11, _domain.Arguments));
    }

    [Fact]
    public void TheBuildIdIsForDomain0()
    {
        Assert.Equal(20, Version(10, 0));
        _domain.Store32(0, 0);
        Assert.Equal(-(long)XenError.Invalid, Version(10, _domain.Arguments));
        _domain.Store32(0, 19);
        Assert.Equal(-(long)XenError.NoBufferSpace, Version(10, _domain.Arguments));
        _domain.Store32(0, 20);
        Assert.Equal(20, Version(10, _domain.Arguments));
        Assert.Equal((byte)'t', _domain.ArgumentBytes[4]);
        Assert.Equal(-(long)XenError.Fault, Version(10, Unmapped));
        TestDomain other = TestDomain.CreateOther(4);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.XenVersion, 10, 0));
        Assert.Equal(0, other.Call(HypercallNumber.XenVersion, 9, other.Arguments));
        Assert.Equal((byte)'<', other.ArgumentBytes[0]);
    }

    [Fact]
    public void LongConsoleOutputIsPreemptedAndCompleted()
    {
        Preemption.SliceTicks = 0;
        _domain.ArgumentBytes[..1000].Fill((byte)'.');
        _domain.Begin(HypercallNumber.ConsoleIo, 0, 1000, _domain.Arguments);
        int steps = 1;
        while (!_domain.TryStep(out long result))
        {
            Assert.True(++steps < 100);
        }

        Assert.True(steps > 1);
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.ConsoleIo, 0, 1, Unmapped));
        Assert.Equal(-(long)XenError.Invalid, _domain.Call(HypercallNumber.ConsoleIo, 0, 0x8000_0000, _domain.Arguments));
        Assert.Equal(-(long)XenError.NotImplemented, _domain.Call(HypercallNumber.ConsoleIo, 2, 1, _domain.Arguments));
        Assert.Equal(0, _domain.Call(HypercallNumber.ConsoleIo, 1, 100, _domain.Arguments));
    }

    private long Platform(uint command)
    {
        _domain.Store32(0, command);
        _domain.Store32(4, PlatformVersion);
        return _domain.Call(HypercallNumber.PlatformOp, _domain.Arguments);
    }

    private long Version(ulong what, ulong at) => _domain.Call(HypercallNumber.XenVersion, what, at);
}
