// Random timer operations against a model: nothing early, nothing lost, nothing twice.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Time;

public sealed class TimerModelTests
{
    private const int Vcpus = 3;
    private const ulong InitialCount = 0xFEE0_0380;
    private const ulong Millisecond = 1_000_000;

    private readonly uint[] _ports = new uint[Vcpus];
    private readonly ulong[] _single = new ulong[Vcpus];
    private readonly ulong[] _periodic = new ulong[Vcpus];
    private readonly ulong[] _interval = new ulong[Vcpus];

    private TestDomain _domain = null!;
    private ulong _hardware;

    private static ulong Now => FakeCpu.Tsc - SystemTime.StartTsc;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void EachTimerFiresOnceAndInTime(int seed)
    {
        Prepare();
        Random random = new(seed);
        for (int step = 0; step < 5000; step++)
        {
            string what = random.Next(3) == 0 ? Pass(random) : Operate(random);
            string? wrong = Check();
            Assert.True(wrong is null, $"seed {seed} step {step} at {Now}, {what}: {wrong}");
        }
    }

    private void Prepare()
    {
        _domain = TestDomain.Create(vcpus: Vcpus);
        FakeCpu.TscStep = 0;
        FakeCpu.DeviceWrite = (address, _, value) => _hardware = address == InitialCount ? (value == 0 ? 0 : Now + value) : _hardware;
        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            _domain.Vcpu(vcpu).Schedule.IsUp = true;
            _domain.Enter(vcpu);
            _domain.Store32(0, (uint)VirtualIrq.Timer);
            _domain.Store32(4, (uint)vcpu);
            Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 1, _domain.Arguments));
            _ports[vcpu] = _domain.Load32(8);
        }
    }

    private string Operate(Random random)
    {
        int vcpu = random.Next(Vcpus);
        _domain.Enter(vcpu);
        ulong time = random.Next(6) switch
        {
            0 => Now - (ulong)random.Next(1000),
            1 => Now + 1,
            2 => Now + (ulong)random.NextInt64((long)(5000 * Millisecond)),
            3 when random.Next(4) == 0 => ulong.MaxValue - (ulong)random.Next(3),
            _ => Now + (ulong)random.NextInt64((long)(20 * Millisecond)),
        };
        switch (random.Next(6))
        {
            case 0:
                _single[vcpu] = 0;
                Assert.Equal(0, _domain.Call(HypercallNumber.VcpuOp, 9, (ulong)vcpu));
                return $"vcpu {vcpu} stops its single-shot timer";
            case 1:
                ulong interval = (ulong)random.NextInt64((long)(30 * Millisecond));
                _domain.Store(0, interval);
                bool valid = interval >= Millisecond;
                Assert.Equal(valid ? 0 : -(long)XenError.Invalid, _domain.Call(HypercallNumber.VcpuOp, 6, (ulong)vcpu, _domain.Arguments));
                if (valid)
                {
                    _interval[vcpu] = interval;
                    _periodic[vcpu] = Now + interval;
                }

                return $"vcpu {vcpu} sets a period of {interval}";
            case 2:
                _periodic[vcpu] = 0;
                Assert.Equal(0, _domain.Call(HypercallNumber.VcpuOp, 7, (ulong)vcpu));
                return $"vcpu {vcpu} stops its periodic timer";
            case 3:
                SetSingle(vcpu, time);
                Assert.Equal(0, _domain.Call(HypercallNumber.SetTimerOp, time));
                return $"vcpu {vcpu} sets its timer to {time} by the old call";
            default:
                SetSingle(vcpu, time);
                _domain.Store(0, time);
                Assert.Equal(0, _domain.Call(HypercallNumber.VcpuOp, 8, (ulong)vcpu, _domain.Arguments));
                return $"vcpu {vcpu} sets its timer to {time}";
        }
    }

    private void SetSingle(int vcpu, ulong time)
    {
        _single[vcpu] = time > Now ? time : 0;
        if (time <= Now)
        {
            ExpectEvent(vcpu);
        }
    }

    /// <summary>Time passes until the hardware fires or until a random moment before.</summary>
    private string Pass(Random random)
    {
        ulong wait = (ulong)random.NextInt64((long)(40 * Millisecond));
        if (_hardware == 0 || _hardware > Now + wait)
        {
            FakeCpu.Tsc += wait;
            return $"{wait} ns pass";
        }

        FakeCpu.Tsc = SystemTime.StartTsc + _hardware + (ulong)random.Next(200);
        _hardware = 0;
        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            if (_single[vcpu] != 0 && _single[vcpu] <= Now)
            {
                _single[vcpu] = 0;
                ExpectEvent(vcpu);
            }

            if (_periodic[vcpu] != 0 && _periodic[vcpu] <= Now)
            {
                _periodic[vcpu] = Now + _interval[vcpu];
                ExpectEvent(vcpu);
            }
        }

        Timers.OnInterrupt();
        return "the hardware timer fires";
    }

    private readonly bool[] _expected = new bool[Vcpus];

    private void ExpectEvent(int vcpu) => _expected[vcpu] = true;

    private string? Check()
    {
        for (int vcpu = 0; vcpu < Vcpus; vcpu++)
        {
            bool pending = EventPorts.IsPending(ref _domain.Domain, _ports[vcpu]);
            if (pending != _expected[vcpu])
            {
                return $"the timer event of vcpu {vcpu} is {(pending ? "early or twice" : "lost")}";
            }

            // The guest takes the event at once.
            _expected[vcpu] = false;
            ref VcpuInfo info = ref VcpuInfoPage.Info(ref _domain.Vcpu(vcpu));
            info.UpcallPending = 0;
            info.PendingSelector = 0;
            PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventPending / 8) &= ~(1UL << (int)_ports[vcpu]);

            foreach (ulong deadline in new[] { _single[vcpu], _periodic[vcpu] })
            {
                // The end of time never comes; one that the hardware cannot wait for in one go is reached in steps.
                if (deadline is not 0 and not ulong.MaxValue && (_hardware == 0 || (_hardware > deadline && deadline > Now)))
                {
                    return $"the hardware waits for {_hardware}, vcpu {vcpu} for {deadline}";
                }
            }
        }

        return null;
    }
}
