// event_channel_op on two levels.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class EventChannelTests
{
    private const uint Self = DomainIds.Self;
    private readonly TestDomain _domain = TestDomain.Create(vcpus: 3);

    [Fact]
    public void ALoopbackChannelCarriesEventsBothWays()
    {
        uint first = AllocateUnbound(_domain, Self, Self);
        Assert.Equal(1u, first);
        uint second = BindInterdomain(_domain, Self, first);
        Assert.Equal(2u, second);

        // A notification may have been lost before the channel existed.
        Assert.True(IsPending(_domain, second));
        Clear(_domain, second);
        Assert.Equal(0, Send(_domain, first));
        Assert.True(IsPending(_domain, second));
        Assert.False(IsPending(_domain, first));
        Assert.Equal(0, Send(_domain, second));
        Assert.True(IsPending(_domain, first));
        Assert.Equal(0, Close(_domain, second));
        Assert.False(IsPending(_domain, second));
        Status(_domain, Self, first, out uint state, out _, out ulong detail);
        Assert.Equal((uint)EventChannelState.Unbound, state);
        Assert.Equal(0, Send(_domain, first));
        Assert.Equal(_domain.Id, (ushort)detail);
    }

    [Fact]
    public void TwoDomainsShareAChannel()
    {
        TestDomain other = TestDomain.CreateOther(4);
        uint port = AllocateUnbound(_domain, 4, Self);
        uint local = BindInterdomain(_domain, 4, port);
        Status(_domain, 4, port, out uint state, out _, out ulong detail);
        Assert.Equal((uint)EventChannelState.Interdomain, state);
        Assert.Equal(_domain.Id | ((ulong)local << 32), detail & 0xFFFF_FFFF_0000_FFFF);
        Assert.Equal(0, Send(_domain, local));
        Assert.True(IsPending(other, port));
        Assert.Equal(0, Close(other, port));
        Status(_domain, Self, local, out state, out _, out _);
        Assert.Equal((uint)EventChannelState.Unbound, state);
    }

    [Fact]
    public void OnlyTheInvitedDomainBinds()
    {
        TestDomain other = TestDomain.CreateOther(4);
        uint port = AllocateUnbound(_domain, Self, 5);
        Assert.Equal(XenError.Invalid, TryBindInterdomain(other, 0, port));
        Assert.Equal(XenError.Invalid, TryBindInterdomain(other, 0, 0));
        Assert.Equal(XenError.Invalid, TryBindInterdomain(other, 0, 4095));
        Assert.Equal(XenError.Invalid, TryBindInterdomain(other, 0, uint.MaxValue));
        Assert.Equal(XenError.NoSuchDomain, TryBindInterdomain(other, 9, port));
        other.Store(0, 0);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.EventChannelOp, 6, other.Arguments));
        other.Store(0, 9);
        Assert.Equal(-(long)XenError.NoSuchDomain, other.Call(HypercallNumber.EventChannelOp, 6, other.Arguments));
    }

    [Fact]
    public void VirqsArePerVcpuOrGlobal()
    {
        Assert.Equal(0, BindVirq(0, 0, out uint first));
        Assert.Equal(0, BindVirq(0, 1, out uint second));
        Assert.NotEqual(first, second);
        Assert.Equal(-(long)XenError.Exists, BindVirq(0, 1, out _));
        Assert.Equal(-(long)XenError.NoEntry, BindVirq(0, 3, out _));
        Assert.Equal(-(long)XenError.Invalid, BindVirq(24, 0, out _));
        Assert.Equal(-(long)XenError.Invalid, BindVirq(2, 1, out _));
        Assert.Equal(0, BindVirq(2, 0, out uint console));
        EventPorts.RaiseVirq(ref _domain.Vcpu(1), VirtualIrq.Timer);
        Assert.True(IsPending(_domain, second));
        Assert.False(IsPending(_domain, first));
        Assert.Equal(-(long)XenError.Invalid, Send(_domain, first));

        // A global one may move and is still found when it is raised and when it is closed.
        Assert.Equal(0, BindVcpu(console, 2));
        Assert.Equal(-(long)XenError.Invalid, BindVcpu(second, 2));
        EventPorts.RaiseGlobalVirq(ref _domain.Domain, VirtualIrq.Console);
        Assert.True(IsPending(_domain, console));
        Assert.Equal(0, Close(_domain, console));
        Assert.Equal(0, BindVirq(2, 0, out _));
        Assert.Equal(0, Close(_domain, second));
        Assert.Equal(0, BindVirq(0, 1, out _));
    }

    [Fact]
    public void AnIpiWakesItsVcpu()
    {
        Assert.Equal(-(long)XenError.NoEntry, BindIpi(7, out _));
        Assert.Equal(0, BindIpi(1, out uint port));
        Assert.Equal(-(long)XenError.Invalid, BindVcpu(port, 2));
        _domain.Vcpu(1).Schedule.IsUp = true;
        _domain.Vcpu(1).Schedule.IsBlocked = true;
        Assert.Equal(0, Send(_domain, port));
        Assert.False(_domain.Vcpu(1).Schedule.IsBlocked);
        Assert.Equal(1, VcpuInfoPage.Info(ref _domain.Vcpu(1)).UpcallPending);
        Assert.Equal(1UL, VcpuInfoPage.Info(ref _domain.Vcpu(1)).PendingSelector);
        Assert.Equal(0, VcpuInfoPage.Info(ref _domain.Vcpu(0)).UpcallPending);
    }

    [Fact]
    public void AMaskedPortWaitsForItsUnmasking()
    {
        Assert.Equal(0, BindIpi(0, out uint port));
        ulong bit = 1UL << (int)port;
        PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventMask / 8) |= bit;
        Assert.Equal(0, Send(_domain, port));
        Assert.True(IsPending(_domain, port));
        Assert.Equal(0, _domain.Info.UpcallPending);
        Assert.Equal(0, PortCall(_domain, 9, port));
        Assert.Equal(1, _domain.Info.UpcallPending);
        Assert.Equal(0UL, PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventMask / 8) & bit);
        Assert.Equal(-(long)XenError.Invalid, PortCall(_domain, 9, 4096));
    }

    [Fact]
    public void ClosingAndReusingTheLowestPort()
    {
        for (uint i = 1; i <= 5; i++)
        {
            Assert.Equal(i, AllocateUnbound(_domain, Self, Self));
        }

        Assert.Equal(0, Close(_domain, 3));
        Assert.Equal(-(long)XenError.Invalid, Close(_domain, 3));
        Assert.Equal(-(long)XenError.Invalid, Close(_domain, 0));
        Assert.Equal(-(long)XenError.Invalid, Close(_domain, 0xFFFF_FFFF));
        Assert.Equal(3u, AllocateUnbound(_domain, Self, Self));
        Assert.Equal(6u, AllocateUnbound(_domain, Self, Self));
    }

    [Fact]
    public void AllPortsCanBeUsedAndReset()
    {
        for (uint i = 1; i < 4096; i++)
        {
            Assert.Equal(i, AllocateUnbound(_domain, Self, Self));
        }

        _domain.Store32(0, Self | (Self << 16));
        Assert.Equal(-(long)XenError.NoSpace, _domain.Call(HypercallNumber.EventChannelOp, 6, _domain.Arguments));
        Preemption.SliceTicks = 0;
        _domain.Store32(0, Self);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 10, _domain.Arguments));
        Assert.Equal(1u, AllocateUnbound(_domain, Self, Self));
        TestDomain other = TestDomain.CreateOther(4);
        AllocateUnbound(other, Self, Self);
        other.Store32(0, 0);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.EventChannelOp, 10, other.Arguments));
        _domain.Store32(0, 4);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 10, _domain.Arguments));
        Assert.Equal(1u, AllocateUnbound(other, Self, Self));
    }

    [Fact]
    public void StatusErrors()
    {
        TestDomain other = TestDomain.CreateOther(4);
        Assert.Equal(0, Status(_domain, Self, 9, out uint state, out _, out _));
        Assert.Equal(0u, state);
        Assert.Equal(-(long)XenError.Invalid, Status(_domain, Self, 4096, out _, out _, out _));
        Assert.Equal(-(long)XenError.NoSuchDomain, Status(_domain, 30, 1, out _, out _, out _));
        Assert.Equal(-(long)XenError.NotPermitted, Status(other, 0, 1, out _, out _, out _));
    }

    [Fact]
    public void FifoIsRefusedSoThatGuestsKeepToTwoLevels()
    {
        for (ulong operation = 11; operation <= 13; operation++)
        {
            Assert.Equal(-(long)XenError.NotImplemented, _domain.Call(HypercallNumber.EventChannelOp, operation, _domain.Arguments));
        }

        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.EventChannelOp, 4, 0x1000_0000));
    }

    private static uint AllocateUnbound(TestDomain domain, uint owner, uint remote)
    {
        domain.Store32(0, owner | (remote << 16));
        Assert.Equal(0, domain.Call(HypercallNumber.EventChannelOp, 6, domain.Arguments));
        return domain.Load32(4);
    }

    private static uint BindInterdomain(TestDomain domain, uint remote, uint port)
    {
        Assert.Equal(XenError.None, TryBindInterdomain(domain, remote, port));
        return domain.Load32(8);
    }

    private static XenError TryBindInterdomain(TestDomain domain, uint remote, uint port)
    {
        domain.Store32(0, remote);
        domain.Store32(4, port);
        return (XenError)(-domain.Call(HypercallNumber.EventChannelOp, 0, domain.Arguments));
    }

    private static long PortCall(TestDomain domain, ulong operation, uint port)
    {
        domain.Store32(0, port);
        return domain.Call(HypercallNumber.EventChannelOp, operation, domain.Arguments);
    }

    private static long Send(TestDomain domain, uint port) => PortCall(domain, 4, port);

    private static long Close(TestDomain domain, uint port) => PortCall(domain, 3, port);

    private static long Status(TestDomain domain, uint owner, uint port, out uint state, out uint vcpu, out ulong detail)
    {
        domain.Store32(0, owner);
        domain.Store32(4, port);
        domain.Store(16, 0);
        long result = domain.Call(HypercallNumber.EventChannelOp, 5, domain.Arguments);
        state = domain.Load32(8);
        vcpu = domain.Load32(12);
        detail = domain.Load(16);
        return result;
    }

    private static bool IsPending(TestDomain domain, uint port) => EventPorts.IsPending(ref domain.Domain, port);

    private static void Clear(TestDomain domain, uint port)
        => PhysicalMemory.Word(domain.Domain.SharedInfo, (SharedInfoLayout.EventPending / 8) + ((int)port / 64)) &= ~(1UL << (int)(port % 64));

    private long BindVirq(uint virq, uint vcpu, out uint port)
    {
        _domain.Store32(0, virq);
        _domain.Store32(4, vcpu);
        long result = _domain.Call(HypercallNumber.EventChannelOp, 1, _domain.Arguments);
        port = _domain.Load32(8);
        return result;
    }

    private long BindIpi(uint vcpu, out uint port)
    {
        _domain.Store32(0, vcpu);
        long result = _domain.Call(HypercallNumber.EventChannelOp, 7, _domain.Arguments);
        port = _domain.Load32(4);
        return result;
    }

    private long BindVcpu(uint port, uint vcpu)
    {
        _domain.Store32(0, port);
        _domain.Store32(4, vcpu);
        return _domain.Call(HypercallNumber.EventChannelOp, 8, _domain.Arguments);
    }
}
