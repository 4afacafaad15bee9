// vcpu_op, sched_op, set_timer_op and nmi_op.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class VcpuAndSchedulingTests
{
    private const ulong Unmapped = 0x1000_0000;

    private readonly TestDomain _domain = TestDomain.Create(isPrivileged: false, vcpus: 3);

    [Fact]
    public void EveryVcpuCommandKnowsWhichVcpusThereAre()
    {
        Assert.Equal(1, VcpuOp(3, 0));
        Assert.Equal(0, VcpuOp(3, 1));
        for (ulong command = 0; command <= 13; command++)
        {
            Assert.Equal(-(long)XenError.NoEntry, VcpuOp(command, 3));
            Assert.Equal(-(long)XenError.NoEntry, VcpuOp(command, 0x1_0000_0000));
        }

        Assert.Equal(-(long)XenError.NotImplemented, VcpuOp(14, 0));
        Assert.Equal(-(long)XenError.Exists, VcpuOp(0, 1));
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(12, 0));
    }

    [Fact]
    public void TheLastVcpuTakesItsDomainDown()
    {
        Assert.Equal(0, VcpuOp(1, 1));
        Assert.Equal(0, VcpuOp(2, 0));
        Assert.False(_domain.Vcpu(0).Schedule.IsUp);
        Assert.Equal(DomainState.Running, _domain.Domain.State);
        Assert.Equal(0, VcpuOp(2, 1));
        Assert.Equal(DomainState.Shutdown, _domain.Domain.State);
        Assert.Equal((byte)ShutdownReason.PowerOff, _domain.Domain.ShutdownCode);
    }

    [Fact]
    public void RunstateCountsTheTimeUpToNow()
    {
        RunState.Change(ref _domain.Vcpu(0), RunState.Running, SystemTime.Now());
        ulong entered = _domain.Vcpu(0).Time.RunStateEntered;
        FakeCpu.Tsc += 5_000_000;
        Assert.Equal(0, VcpuOp(4, 0));
        Assert.Equal(0u, _domain.Load32(0));
        Assert.Equal(entered, _domain.Load(8));
        Assert.InRange(_domain.Load(16), 5_000_000UL, 5_001_000UL);
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.VcpuOp, 4, 0, Unmapped));
    }

    [Fact]
    public void TheRunstateAreaIsFlaggedWhileItChanges()
    {
        _domain.Domain.Assists = 1 << 5;
        ulong area = _domain.Arguments + 1024;
        System.Collections.Generic.List<ulong> seen = [];
        GuestMemory.OnWrite = (address, bytes) =>
        {
            if (address >= area && address < area + 48)
            {
                seen.Add(_domain.Load(1024 + 8));
            }
        };
        _domain.Store(0, area);
        Assert.Equal(0, VcpuOp(5, 0));
        Assert.Equal(3, seen.Count);
        Assert.NotEqual(0UL, seen[0] >> 63);
        Assert.NotEqual(0UL, seen[1] >> 63);
        Assert.Equal(0UL, seen[2] >> 63);
        _domain.Store(0, GuestAddress.HypervisorStart + 4096);
        Assert.Equal(-(long)XenError.Fault, VcpuOp(5, 0));
        Assert.Equal(area, _domain.Vcpu(0).Time.RunstateArea);
    }

    [Fact]
    public void TheExtraTimeAreaHasAVersionOfItsOwn()
    {
        ulong area = _domain.Arguments + 1024;
        System.Collections.Generic.List<uint> versions = [];
        GuestMemory.OnWrite = (address, bytes) =>
        {
            if (address >= area && address < area + 32)
            {
                versions.Add(_domain.Load32(1024));
            }
        };
        _domain.Store32(1024, 7);
        _domain.Store(0, area);
        Assert.Equal(0, VcpuOp(13, 0));
        Assert.Equal([7u, 7u, 8u], versions);
        Assert.Equal(_domain.Info.Time.SystemTime, _domain.Load(1024 + 16));
        Assert.Equal(_domain.Info.Time.TscToSystemMultiplier, _domain.Load32(1024 + 24));
        _domain.Store(0, GuestAddress.HypervisorStart);
        Assert.Equal(-(long)XenError.Fault, VcpuOp(13, 0));
    }

    [Fact]
    public void TimersOfTheCaller()
    {
        uint port = BindTimer();
        _domain.Store(0, SystemTime.Now() + 1_000_000);
        Assert.Equal(0, VcpuOp(8, 0));
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(8, 1));
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(9, 1));
        Timers.OnInterrupt();
        Assert.False(EventPorts.IsPending(ref _domain.Domain, port));
        FakeCpu.Tsc += 2_000_000;
        Timers.OnInterrupt();
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
        Assert.Equal(0UL, _domain.Vcpu(0).Time.SingleShot);
    }

    [Fact]
    public void ATimeInThePastRaisesTheTimerAtOnce()
    {
        uint port = BindTimer();
        _domain.Store(0, 1);
        _domain.Store(8, 1);
        Assert.Equal(0, VcpuOp(8, 0));
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
    }

    [Fact]
    public void SetTimerOpSetsAndCancels()
    {
        BindTimer();
        Assert.Equal(0, _domain.Call(HypercallNumber.SetTimerOp, ulong.MaxValue));
        Assert.Equal(ulong.MaxValue, _domain.Vcpu(0).Time.SingleShot);
        Assert.Equal(0, _domain.Call(HypercallNumber.SetTimerOp, 0));
        Assert.Equal(0UL, _domain.Vcpu(0).Time.SingleShot);
    }

    [Fact]
    public void PeriodicTimers()
    {
        uint port = BindTimer();
        _domain.Store(0, 999_999);
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(6, 0));
        _domain.Store(0, ulong.MaxValue);
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(6, 0));
        _domain.Store(0, 1_000_000);
        Assert.Equal(0, VcpuOp(6, 0));
        FakeCpu.Tsc += 1_100_000;
        Timers.OnInterrupt();
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
        Assert.True(_domain.Vcpu(0).Time.PeriodicNext > SystemTime.Now());
        Assert.Equal(0, VcpuOp(7, 0));
        Assert.Equal(0UL, _domain.Vcpu(0).Time.PeriodicNext);
    }

    [Fact]
    public void VcpuInfoMovesOnceAndOnlyWhereItFits()
    {
        Mfn page = _domain.NewPage();
        _domain.Store(0, page.Value);
        _domain.Store(8, 4096 - 56);
        Assert.Equal(-(long)XenError.NoAddress, VcpuOp(10, 0));
        _domain.Store(8, 4);
        Assert.Equal(-(long)XenError.NoAddress, VcpuOp(10, 0));
        _domain.Store(0, _domain.WindowL1.Value);
        _domain.Store(8, 64);
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(10, 0));
        _domain.Store(0, page.Value);
        _domain.Info.UpcallMask = 1;
        Assert.Equal(0, VcpuOp(10, 0));
        Assert.Equal(1, _domain.Info.UpcallMask);
        Assert.Equal(1, _domain.Info.UpcallPending);
        Assert.Equal(ulong.MaxValue, _domain.Info.PendingSelector);
        Assert.Equal(1u, TestDomain.Frame(page).TypeCount);
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(10, 0));
        Assert.Equal(-(long)XenError.Invalid, _domain.Pin(page, 1));
        Assert.Equal(0, VcpuOp(1, 2));
        _domain.Store(0, page.Value);
        _domain.Store(8, 128);
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(10, 2));
        Assert.Equal(0, VcpuOp(10, 1));
    }

    [Fact]
    public void AnNmiToAVcpu()
    {
        Assert.Equal(-(long)XenError.Invalid, VcpuOp(11, 1));
        Assert.Equal(0, _domain.Call(HypercallNumber.VcpuOp, 11, 1, 0));
        Assert.True(_domain.Vcpu(1).Traps.NmiPending);
        _domain.Store(0, 0x0008_0000_0000_0000);
        Assert.Equal(-(long)XenError.Invalid, _domain.Call(HypercallNumber.NmiOp, 0, _domain.Arguments));
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.NmiOp, 0, Unmapped));
        _domain.Store(0, 0xFFFF_FFFF_8100_0000);
        Assert.Equal(0, _domain.Call(HypercallNumber.NmiOp, 0, _domain.Arguments));
        Assert.Equal(0xFFFF_FFFF_8100_0000, _domain.Vcpu(0).Traps.NmiCallback);
        Assert.Equal(0, _domain.Call(HypercallNumber.NmiOp, 1));
        Assert.Equal(0UL, _domain.Vcpu(0).Traps.NmiCallback);
        Assert.Equal(-(long)XenError.NotImplemented, _domain.Call(HypercallNumber.NmiOp, 2));
    }

    [Fact]
    public void BlockUnmasksAndWaitsUnlessAnEventIsPending()
    {
        _domain.Info.UpcallMask = 1;
        Assert.Equal(0, SchedOp(1));
        Assert.Equal(0, _domain.Info.UpcallMask);
        Assert.True(_domain.Vcpu(0).Schedule.IsBlocked);
        _domain.Vcpu(0).Schedule.IsBlocked = false;
        _domain.Info.UpcallPending = 1;
        Assert.Equal(0, SchedOp(1));
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
    }

    [Fact]
    public void PollWaitsForAPortEvenIfItIsMasked()
    {
        uint port = BindTimer();
        StorePoll(port, 0);
        _domain.Info.UpcallMask = 1;
        PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventMask / 8) = ulong.MaxValue;
        Assert.Equal(0, SchedOp(3));
        Assert.True(_domain.Vcpu(0).Schedule.IsBlocked);
        Assert.Equal(1, _domain.Info.UpcallMask);
        EventPorts.RaiseVirq(ref _domain.Vcpu(0), VirtualIrq.Timer);
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
        Assert.Equal(0, SchedOp(3));
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
    }

    [Fact]
    public void PollEndsWithItsTime()
    {
        StorePoll(9, SystemTime.Now() + 1_000_000);
        Assert.Equal(0, SchedOp(3));
        Assert.True(_domain.Vcpu(0).Schedule.IsBlocked);
        FakeCpu.Tsc += 2_000_000;
        Timers.OnInterrupt();
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
        StorePoll(9, 1);
        Assert.Equal(0, SchedOp(3));
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
    }

    [Fact]
    public void PollErrors()
    {
        StorePoll(4096, 0);
        Assert.Equal(-(long)XenError.Invalid, SchedOp(3));
        _domain.Store32(8, 129);
        Assert.Equal(-(long)XenError.Invalid, SchedOp(3));
        _domain.Store(0, Unmapped);
        _domain.Store32(8, 1);
        Assert.Equal(-(long)XenError.Fault, SchedOp(3));
        Assert.False(_domain.Vcpu(0).Schedule.IsBlocked);
    }

    [Fact]
    public void WatchdogsEndADomainThatForgetsThem()
    {
        Assert.Equal(1, Watchdog(0, 10));
        Assert.Equal(2, Watchdog(0, 20));
        Assert.Equal(-(long)XenError.NoSpace, Watchdog(0, 10));
        Assert.Equal(-(long)XenError.Invalid, Watchdog(0, 0));
        Assert.Equal(-(long)XenError.Invalid, Watchdog(3, 10));
        Assert.Equal(0, Watchdog(2, 0));
        Assert.Equal(-(long)XenError.Invalid, Watchdog(2, 10));
        FakeCpu.Tsc += 9_000_000_000;
        Timers.OnInterrupt();
        Assert.Equal(0, Watchdog(1, 10));
        FakeCpu.Tsc += 9_000_000_000;
        Timers.OnInterrupt();
        Assert.Equal(DomainState.Running, _domain.Domain.State);
        FakeCpu.Tsc += 2_000_000_000;
        Timers.OnInterrupt();
        Assert.Equal(DomainState.Shutdown, _domain.Domain.State);
        Assert.Equal((byte)ShutdownReason.Watchdog, _domain.Domain.ShutdownCode);
    }

    [Fact]
    public void TheFirstShutdownCodeStays()
    {
        _domain.Store32(0, 77);
        Assert.Equal(0, SchedOp(5));
        _domain.Store32(0, (uint)ShutdownReason.Crash);
        Assert.Equal(0, SchedOp(2));
        Assert.Equal(DomainState.Crashed, _domain.Domain.State);
        Assert.Equal(77, _domain.Domain.ShutdownCode);
    }

    [Fact]
    public void OnlyAControllerShutsOthersDown()
    {
        TestDomain other = TestDomain.CreateOther(5);
        _domain.Store32(0, 5);
        _domain.Store32(4, 1);
        Assert.Equal(-(long)XenError.NotPermitted, SchedOp(4));
        _domain.Store32(0, 50);
        Assert.Equal(-(long)XenError.NoSuchDomain, SchedOp(4));
        TestDomain controller = TestDomain.CreateOther(6, isPrivileged: true);
        controller.Store32(0, 5);
        controller.Store32(4, 1);
        Assert.Equal(0, controller.Call(HypercallNumber.SchedOp, 4, controller.Arguments));
        Assert.Equal(DomainState.Shutdown, other.Domain.State);
        Assert.Equal((byte)ShutdownReason.Reboot, other.Domain.ShutdownCode);
    }

    [Fact]
    public void PinningIsForTheHardwareDomain()
    {
        Assert.Equal(-(long)XenError.NotPermitted, SchedOp(7));
        TestDomain owner = TestDomain.CreateOther(6, isPrivileged: true);
        owner.Store32(0, 0xFFFF_FFFF);
        Assert.Equal(-(long)XenError.Invalid, owner.Call(HypercallNumber.SchedOp, 7, owner.Arguments));
        owner.Store32(0, 0);
        Assert.Equal(0, owner.Call(HypercallNumber.SchedOp, 7, owner.Arguments));
        Assert.Equal(-(long)XenError.Busy, owner.Call(HypercallNumber.SchedOp, 7, owner.Arguments));
        owner.Store32(0, 0xFFFF_FFFF);
        Assert.Equal(0, owner.Call(HypercallNumber.SchedOp, 7, owner.Arguments));
        owner.Store32(0, 400);
        Assert.Equal(-(long)XenError.Invalid, owner.Call(HypercallNumber.SchedOp, 7, owner.Arguments));
    }

    private long VcpuOp(ulong command, ulong vcpu) => _domain.Call(HypercallNumber.VcpuOp, command, vcpu, _domain.Arguments);

    private long SchedOp(ulong operation) => _domain.Call(HypercallNumber.SchedOp, operation, _domain.Arguments);

    private long Watchdog(uint id, uint seconds)
    {
        _domain.Store32(0, id);
        _domain.Store32(4, seconds);
        return SchedOp(6);
    }

    private uint BindTimer()
    {
        _domain.Store(0, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 1, _domain.Arguments));
        return _domain.Load32(8);
    }

    private void StorePoll(uint port, ulong timeout)
    {
        _domain.Store(0, _domain.Arguments + 512);
        _domain.Store(8, 1);
        _domain.Store(16, timeout);
        _domain.Store32(512, port);
    }
}
