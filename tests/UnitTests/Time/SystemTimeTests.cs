// Turning ticks into nanoseconds, against exact arithmetic.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Time;

public sealed class SystemTimeTests
{
    [Fact]
    public void ScalesEveryFrequencyExactly()
    {
        TestDomain.ResetMachine();
        Random random = new(17);
        for (int round = 0; round < 20_000; round++)
        {
            ulong kilohertz = (ulong)Math.Exp(random.NextDouble() * Math.Log(20_000_000)) + 1;
            SystemTime.Initialize(kilohertz, true);
            Assert.True(SystemTime.Multiplier >= 1U << 31, $"{kilohertz} kHz: multiplier {SystemTime.Multiplier:X} has lost precision");

            // A year of ticks at most.
            ulong ticks = (ulong)(random.NextDouble() * kilohertz * 1000 * 86400 * 365);
            UInt128 shifted = SystemTime.Shift >= 0 ? (UInt128)ticks << SystemTime.Shift : (UInt128)ticks >> -SystemTime.Shift;
            UInt128 guest = (shifted * SystemTime.Multiplier) >> 32;
            Assert.Equal(guest, (UInt128)SystemTime.ToNanoseconds(ticks));

            // The multiplier has 31 bits at least: off by less than one part in 2^30, and by the ticks that the shift drops.
            UInt128 exact = (UInt128)ticks * 1_000_000 / kilohertz;
            UInt128 error = exact > guest ? exact - guest : guest - exact;
            Assert.True(error <= (exact >> 30) + 64, $"{ticks} ticks at {kilohertz} kHz: {guest} ns, exactly {exact}");
        }
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(1000UL)]
    [InlineData(999_999_999UL)]
    [InlineData(1_000_000_000UL)]
    [InlineData(1_000_000_001UL)]
    [InlineData(2_000_000_000UL)]
    [InlineData(2_000_000_001UL)]
    [InlineData(5_000_000_000UL)]
    [InlineData(100_000_000_000UL)]
    public void TheMultiplierIsNormalised(ulong hertz)
    {
        SystemTime.ScaleFor(hertz, out uint multiplier, out int shift);
        Assert.InRange(multiplier, 1U << 31, uint.MaxValue);
        double nanosecondsPerTick = multiplier / Math.Pow(2, 32) * Math.Pow(2, shift);
        Assert.Equal(1e9 / hertz, nanosecondsPerTick, 1e9 / hertz * 1e-8);
    }

    [Fact]
    public void TicksAndNanosecondsAreInverse()
    {
        TestDomain.ResetMachine();
        Random random = new(19);
        for (int round = 0; round < 10_000; round++)
        {
            SystemTime.Initialize((ulong)random.Next(100_000, 6_000_000), true);
            ulong nanoseconds = (ulong)random.NextInt64(1L << 50);
            ulong back = SystemTime.ToNanoseconds(SystemTime.ToTicks(nanoseconds));
            ulong error = back > nanoseconds ? back - nanoseconds : nanoseconds - back;
            Assert.True(error <= (nanoseconds >> 30) + 64, $"{nanoseconds} ns come back as {back} at {SystemTime.TscKilohertz} kHz");
        }
    }

    /// <summary>The guest reads the fields when the version is even and the same before and after; so they change while it is odd.</summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(7u)]
    [InlineData(uint.MaxValue)]
    [InlineData(uint.MaxValue - 1)]
    public void TheVersionIsOddWhileTheTimeInfoChanges(uint before)
    {
        TestDomain domain = TestDomain.Create();
        domain.Info.Time.Version = before;
        uint seen = 0;
        FakeCpu.OnTscRead = () => seen = VcpuInfoPage.Info(ref domain.Vcpu(0)).Time.Version;
        VcpuClock.Update(ref domain.Vcpu(0));
        Assert.Equal(1u, seen & 1);
        Assert.Equal(0u, domain.Info.Time.Version & 1);
        Assert.NotEqual(before, domain.Info.Time.Version);
        Assert.NotEqual(seen, domain.Info.Time.Version);
    }

    /// <summary>What a guest computes from its time info is the hypervisor's own time.</summary>
    [Fact]
    public void TheGuestsClockIsTheHypervisors()
    {
        TestDomain domain = TestDomain.Create();
        Random random = new(23);
        for (int round = 0; round < 1000; round++)
        {
            SystemTime.Initialize((ulong)random.Next(100_000, 6_000_000), true);
            VcpuClock.Update(ref domain.Vcpu(0));
            FakeCpu.TscStep = 0;
            FakeCpu.Tsc += (ulong)random.NextInt64(1L << 34);
            VcpuTimeInfo info = domain.Info.Time;
            ulong delta = FakeCpu.Tsc - info.TscTimestamp;
            delta = info.TscShift >= 0 ? delta << info.TscShift : delta >> -info.TscShift;
            ulong guest = info.SystemTime + (ulong)((UInt128)delta * info.TscToSystemMultiplier >> 32);
            ulong own = SystemTime.Now();
            Assert.InRange((long)(own - guest), -16, 16);
            Assert.Equal(VcpuTimeInfo.TscStable, info.Flags);
        }
    }

    [Theory]
    [InlineData(1_700_000_000UL, 5u, 3_000_000_007UL)]
    [InlineData(100UL, 999_999_999u, 99_000_000_000UL)]
    [InlineData(5_000_000_000UL, 0u, 1UL)]
    public void TheWallClockIsUtcAtBoot(ulong seconds, uint nanoseconds, ulong systemTime)
    {
        TestDomain domain = TestDomain.Create();
        domain.Store(0, 62 | (0x0300_0001UL << 32));
        domain.Store(8, seconds);
        domain.Store(16, nanoseconds);
        domain.Store(24, systemTime);
        Assert.Equal(0, domain.Call(HypercallNumber.PlatformOp, domain.Arguments));
        Mfn page = domain.Domain.SharedInfo;
        UInt128 wall = ((UInt128)(PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSeconds)
            | ((ulong)PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSecondsHigh) << 32)) * 1_000_000_000)
            + PhysicalMemory.Word32(page, SharedInfoLayout.WallClockNanoseconds);
        Assert.Equal(((UInt128)seconds * 1_000_000_000) + nanoseconds, wall + systemTime);
        Assert.True(PhysicalMemory.Word32(page, SharedInfoLayout.WallClockNanoseconds) < 1_000_000_000);
        Assert.Equal(0u, PhysicalMemory.Word32(page, SharedInfoLayout.WallClockVersion) & 1);
    }
}
