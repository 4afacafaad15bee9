// Random event-channel operations of a domain with three vcpus, against the model.
using System.Collections.Generic;
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.EventChannels;

public sealed class EventChannelModelTests
{
    private const int Vcpus = 3;
    private const int Steps = 4000;

    private TestDomain _domain = null!;
    private EventModel _model = null!;
    private Random _random = null!;
    private uint _highest;
    private string _last = "";

    [Theory]
    [InlineData(1, 12)]
    [InlineData(2, 12)]
    [InlineData(3, 100)]
    [InlineData(4, 300)]
    [InlineData(5, 300)]
    [InlineData(6, 700)]
    public void AgreesWithTheModel(int seed, int ports)
    {
        _domain = TestDomain.Create(vcpus: Vcpus);
        _model = new EventModel(Vcpus);
        _random = new Random(seed);
        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            // TestDomain leaves events masked, as a vcpu starts.
            _model.Vcpus[vcpu].UpcallMask = true;
            _domain.Vcpu(vcpu).Schedule.IsUp = true;
        }

        for (int step = 0; step < Steps; step++)
        {
            Step(ports);
            string? difference = Compare();
            Assert.True(difference is null, $"seed {seed} step {step}, {_last}: {difference}");
        }
    }

    private void Step(int ports)
    {
        List<uint> awake = [.. Enumerable.Range(0, Vcpus).Select(vcpu => (uint)vcpu).Where(vcpu => !_model.Vcpus[vcpu].IsBlocked)];
        if (awake.Count == 0 || _random.Next(8) == 0)
        {
            // The machine's doing: a VIRQ.
            uint virq = (uint)_random.Next(24);
            uint target = EventModel.IsPerVcpu(virq) ? (uint)_random.Next(Vcpus) : 0;
            _last = $"VIRQ {virq} of vcpu {target}";
            EventPorts.RaiseVirq(ref _domain.Vcpu((int)target), (VirtualIrq)virq);
            _model.RaiseVirq(virq, target);
            if (awake.Count == 0 && _random.Next(20) == 0)
            {
                WakeAll();
            }

            return;
        }

        uint caller = awake[_random.Next(awake.Count)];
        _domain.Enter((int)caller);
        switch (_random.Next(20))
        {
            case 0 when Count() < ports: BindVirq(); break;
            case 1 when Count() < ports: BindIpi(); break;
            case < 5 when Count() < ports: AllocateUnbound(); break;
            case < 8 when Count() < ports: BindInterdomain(); break;
            case 8: Simple(3, port => _model.Close(port)); break;
            case < 12: Simple(4, port => _model.Send(port)); break;
            case 12: BindVcpu(); break;
            case 13: Simple(9, port => _model.Unmask(port)); break;
            case 14: Mask(); break;
            case 15: Handle(caller); break;
            case 16: Status(); break;
            case 17 when _random.Next(3) == 0: Block(caller); break;
            case 18 when _random.Next(3) == 0: Poll(caller); break;
            case 19 when _random.Next(200) == 0: Reset(); break;
            default: Simple(4, port => _model.Send(port)); break;
        }
    }

    private int Count() => _model.Channels.Count(channel => channel.State != EventModel.Free);

    private uint AnyPort() => _random.Next(30) == 0 ? (uint)_random.Next() : (uint)_random.Next((int)_highest + 3);

    private long Call(ulong operation) => _domain.Call(HypercallNumber.EventChannelOp, operation, _domain.Arguments);

    private void Expect((XenError Error, uint Port) expected, long result, uint port)
    {
        Assert.True(-(long)expected.Error == result, $"{_last} gives {result}, the model {expected.Error}");
        if (expected.Error == XenError.None)
        {
            Assert.True(expected.Port == port, $"{_last} gives port {port}, the model {expected.Port}");
            _highest = Math.Max(_highest, port);
        }
    }

    private void BindVirq()
    {
        (uint virq, uint vcpu) = ((uint)_random.Next(26), (uint)_random.Next(Vcpus + 1));
        _last = $"bind_virq {virq} of vcpu {vcpu}";
        _domain.Store32(0, virq);
        _domain.Store32(4, vcpu);
        Expect(_model.BindVirq(virq, vcpu), Call(1), _domain.Load32(8));
    }

    private void BindIpi()
    {
        uint vcpu = (uint)_random.Next(Vcpus + 1);
        _last = $"bind_ipi of vcpu {vcpu}";
        _domain.Store32(0, vcpu);
        Expect(vcpu >= Vcpus ? (XenError.NoEntry, 0) : _model.Open(new EventModel.Channel(EventModel.Ipi, vcpu, 0, 0)), Call(7), _domain.Load32(4));
    }

    private void AllocateUnbound()
    {
        _last = "alloc_unbound";
        _domain.Store32(0, (uint)(TestDomain.Self | (TestDomain.Self << 16)));
        Expect(_model.Open(new EventModel.Channel(EventModel.Unbound, 0, 0, 0)), Call(6), _domain.Load32(4));
    }

    private void BindInterdomain()
    {
        uint remote = AnyPort();
        _last = $"bind_interdomain with {remote}";
        _domain.Store32(0, (uint)TestDomain.Self);
        _domain.Store32(4, remote);
        Expect(_model.BindInterdomain(remote), Call(0), _domain.Load32(8));
    }

    private void Simple(ulong operation, Func<uint, XenError> expected)
    {
        uint port = AnyPort();
        _last = $"operation {operation} of port {port}";
        _domain.Store32(0, port);
        Expect((expected(port), 0), Call(operation), 0);
    }

    private void BindVcpu()
    {
        (uint port, uint vcpu) = (AnyPort(), (uint)_random.Next(Vcpus + 1));
        _last = $"bind_vcpu {port} to {vcpu}";
        _domain.Store32(0, port);
        _domain.Store32(4, vcpu);
        Expect((_model.BindVcpu(port, vcpu), 0), Call(8), 0);
    }

    private void Mask()
    {
        uint port = (uint)_random.Next((int)_highest + 3);
        _last = $"the guest masks {port}";
        _model.Masked[port] = true;
        Word(SharedInfoLayout.EventMask, port) |= 1UL << (int)(port % 64);
    }

    private void Handle(uint vcpu)
    {
        _last = $"the guest handles the events of vcpu {vcpu}";
        ref VcpuInfo info = ref _domain.Info;
        info.UpcallPending = 0;
        ulong selector = info.PendingSelector;
        info.PendingSelector = 0;
        for (uint word = 0; word < 64; word++)
        {
            if ((selector & (1UL << (int)word)) != 0)
            {
                Word(SharedInfoLayout.EventPending, word * 64) &= Word(SharedInfoLayout.EventMask, word * 64);
            }
        }

        _model.Handle(vcpu);
        info.UpcallMask = (byte)_random.Next(2);
        _model.Vcpus[vcpu].UpcallMask = info.UpcallMask != 0;
    }

    private void Status()
    {
        uint port = (uint)_random.Next((int)_highest + 3);
        _last = $"status of {port}";
        _domain.Store32(0, (uint)TestDomain.Self);
        _domain.Store32(4, port);
        Assert.Equal(0, Call(5));
        EventModel.Channel channel = _model.Channels[port];
        Assert.True(channel.State == _domain.Load32(8), $"{_last}: {_domain.Load32(8)}, the model {channel.State}");
        Assert.Equal(channel.Vcpu, _domain.Load32(12));
        switch (channel.State)
        {
            case EventModel.Interdomain: Assert.Equal(channel.Number, _domain.Load32(20)); break;
            case EventModel.Virq: Assert.Equal(channel.Number, _domain.Load32(16)); break;
        }
    }

    private void Block(uint vcpu)
    {
        _last = $"vcpu {vcpu} blocks";
        Assert.Equal(0, _domain.Call(HypercallNumber.SchedOp, 1));
        _model.Block(vcpu);
    }

    private void Poll(uint vcpu)
    {
        List<uint> ports = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => AnyPort())];
        _last = $"vcpu {vcpu} polls {string.Join(' ', ports)}";
        for (int i = 0; i < ports.Count; i++)
        {
            _domain.Store32(64 + (i * 4), ports[i]);
        }

        _domain.Store(0, _domain.Arguments + 64);
        _domain.Store(8, (ulong)ports.Count);
        _domain.Store(16, 0);
        long result = _domain.Call(HypercallNumber.SchedOp, 3, _domain.Arguments);
        Expect((_model.Poll(vcpu, ports), 0), result, 0);
    }

    private void Reset()
    {
        _last = "reset";
        _domain.Store32(0, (uint)TestDomain.Self);
        Assert.Equal(0, Call(10));
        for (uint port = 1; port < EventModel.Ports; port++)
        {
            _model.Close(port);
        }
    }

    /// <summary>Nothing would ever come for vcpus that wait without a channel.</summary>
    private void WakeAll()
    {
        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            Xenolith.Hypervisor.Scheduling.Scheduler.Wake(ref _domain.Vcpu(vcpu));
            _model.Vcpus[vcpu].IsBlocked = false;
            _model.Vcpus[vcpu].IsPolling = false;
        }
    }

    private ref ulong Word(int offset, uint port) => ref PhysicalMemory.Word(_domain.Domain.SharedInfo, (offset / 8) + (int)(port / 64));

    private string? Compare()
    {
        for (uint port = 0; port < EventModel.Ports; port += 64)
        {
            ulong pending = 0;
            ulong masked = 0;
            for (uint bit = 0; bit < 64; bit++)
            {
                pending |= _model.Pending[port + bit] ? 1UL << (int)bit : 0;
                masked |= _model.Masked[port + bit] ? 1UL << (int)bit : 0;
            }

            if (Word(SharedInfoLayout.EventPending, port) != pending || Word(SharedInfoLayout.EventMask, port) != masked)
            {
                return $"ports from {port}: pending {Word(SharedInfoLayout.EventPending, port):X}, the model {pending:X}; masked {masked:X}";
            }
        }

        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            EventModel.Processor expected = _model.Vcpus[vcpu];
            ref VcpuInfo info = ref VcpuInfoPage.Info(ref _domain.Vcpu(vcpu));
            if (info.UpcallPending != 0 != expected.UpcallPending || info.PendingSelector != expected.Selector || info.UpcallMask != 0 != expected.UpcallMask)
            {
                return $"vcpu {vcpu}: pending {info.UpcallPending} mask {info.UpcallMask} selector {info.PendingSelector:X}; "
                    + $"the model {expected.UpcallPending} {expected.UpcallMask} {expected.Selector:X}";
            }

            if (_domain.Vcpu(vcpu).Schedule.IsBlocked != expected.IsBlocked || _domain.Vcpu(vcpu).Events.IsPolling != expected.IsPolling)
            {
                return $"vcpu {vcpu}: blocked {_domain.Vcpu(vcpu).Schedule.IsBlocked}, the model {expected.IsBlocked}";
            }
        }

        return null;
    }
}
