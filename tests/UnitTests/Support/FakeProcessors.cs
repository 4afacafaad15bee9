// Several processors that run vcpus by the scheduler's word, in a time of their own.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Support;

/// <summary>
/// One thread plays all processors: each has a timer and takes interrupts from the others. Time passes only in <see cref="Run"/>. The
/// guests do nothing; what a vcpu does next is for the test to say.
/// </summary>
internal sealed class FakeProcessors : IDisposable
{
    internal const ulong Millisecond = 1_000_000;
    private const ulong InitialCount = 0xFEE0_0380;
    private const ulong CommandLow = 0xFEE0_0300;
    private const ulong CommandHigh = 0xFEE0_0310;

    // A frame that nobody uses: address space of all vcpus.
    private static readonly Mfn s_root = new(1);

    private readonly bool[] _interrupted;
    private readonly ulong[] _timer;
    private uint _target;

    internal FakeProcessors(int count)
    {
        TestDomain.ResetMachine();
        HypervisorAddressSpace.FillHypervisorSlots(s_root, true);
        Count = count;
        ProcessorTable.Count = count;
        Running = new int[count];
        TimerInterrupts = new int[count];
        _interrupted = new bool[count];
        _timer = new ulong[count];
        FakeCpu.TscStep = 0;
        FakeCpu.DeviceRead = (_, _) => 0;
        FakeCpu.DeviceWrite = WriteDevice;
        for (int processor = 0; processor < count; processor++)
        {
            ProcessorTable.At(processor) = Processor.New((uint)processor, (uint)processor);
            Running[processor] = -1;
            _interrupted[processor] = true;
        }

        Settle();
    }

    internal int Count { get; }

    /// <summary>Which vcpu each processor runs, -1 = it is idle.</summary>
    internal int[] Running { get; }

    internal int[] TimerInterrupts { get; }

    internal static ulong Now => SystemTime.Now();

    /// <summary>When the processor's timer fires, 0 = never.</summary>
    internal ulong TimerOf(int processor) => _timer[processor];

    public void Dispose()
    {
        FakeCpu.Index = 0;
        ProcessorTable.Count = 1;
        Scheduler.RateLimitNanoseconds = SchedulerParameters.DefaultRateLimit * 1000UL;
    }

    /// <summary>Adds a domain whose vcpus are down; gives the index of its first.</summary>
    internal int AddDomain(int id, int vcpus)
    {
        Assert.Equal(XenError.None, DomainCreation.TryCreate((ushort)id));
        ref Domain domain = ref DomainTable.At(id);
        domain.State = DomainState.Running;
        int first = VcpuTable.Count;
        for (int i = 0; i < vcpus; i++)
        {
            Assert.Equal(XenError.None, DomainCreation.TryAddVcpu(ref domain));
            ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex((uint)i));
            vcpu.Context.KernelRoot = s_root.Address.Value;
            vcpu.Context.InKernel = 1;
            vcpu.Time.Offline = vcpu.Time.RunStateEntered;
        }

        return first;
    }

    /// <summary>Adds a domain of vcpus that never rest.</summary>
    internal int AddHogs(int id, int vcpus, uint weight = 256, uint cap = 0, ulong affinity = ulong.MaxValue)
    {
        int first = AddDomain(id, vcpus);
        Assert.Equal(XenError.None, SchedulerParameters.TrySet(ref DomainTable.At(id), weight, cap));
        for (int i = first; i < first + vcpus; i++)
        {
            Assert.Equal(XenError.None, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(i), affinity, out _));
            Scheduler.Up(ref VcpuTable.At(i));
        }

        Settle();
        return first;
    }

    /// <summary>All vcpus that have been added.</summary>
    internal IEnumerable<int> All()
    {
        for (int i = 0; i < VcpuTable.Count; i++)
        {
            yield return i;
        }
    }

    /// <summary>What the vcpu has had of a processor, up to now.</summary>
    internal static ulong Had(int vcpu) => RunState.ReadNow(ref VcpuTable.At(vcpu)).Running;

    /// <summary>Does something on a processor and lets all others do what follows from it.</summary>
    internal void On(int processor, Action action)
    {
        FakeCpu.Index = processor;
        action();
        Settle();
    }

    /// <summary>Passes time, with all that the timers do in it; after each interrupt <paramref name="then"/> is called.</summary>
    internal void Run(ulong nanoseconds, Action? then = null)
    {
        ulong end = Now + nanoseconds;
        while (true)
        {
            int next = -1;
            for (int processor = 0; processor < Count; processor++)
            {
                if (_timer[processor] != 0 && _timer[processor] <= end && (next < 0 || _timer[processor] < _timer[next]))
                {
                    next = processor;
                }
            }

            ulong at = next < 0 ? end : Math.Max(_timer[next], Now);
            FakeCpu.Tsc += at - Now;
            if (next < 0)
            {
                return;
            }

            _timer[next] = 0;
            TimerInterrupts[next]++;
            _interrupted[next] = true;
            FakeCpu.Index = next;
            Timers.OnInterrupt();
            Settle();
            then?.Invoke();
        }
    }

    /// <summary>Lets each processor that has been interrupted, or whose vcpu has to look again, choose.</summary>
    internal void Settle()
    {
        // Who has done something was in the hypervisor, and looks before it leaves.
        _interrupted[FakeCpu.Index] = true;
        bool changed = true;
        for (int round = 0; changed; round++)
        {
            Assert.True(round < 1000, "the processors never come to rest");
            changed = false;
            for (int processor = 0; processor < Count; processor++)
            {
                FakeCpu.Index = processor;
                int current = Running[processor];
                bool choosesAnew = current >= 0 && (VcpuTable.Context(current).Work & (VcpuWork.Reschedule | VcpuWork.Stop)) != 0;
                if (!choosesAnew && (current >= 0 || !_interrupted[processor]))
                {
                    continue;
                }

                _interrupted[processor] = false;
                changed = true;
                if (current >= 0)
                {
                    VcpuTable.Context(current).Work &= ~VcpuWork.Reschedule;
                }

                Running[processor] = Scheduler.Decide(current);
            }
        }
    }

    private void WriteDevice(ulong address, int bytes, ulong value)
    {
        switch (address)
        {
            case InitialCount:
                _timer[FakeCpu.Index] = value == 0 ? 0 : Now + value;
                break;
            case CommandHigh:
                _target = (uint)value >> 24;
                break;
            case CommandLow:
                // The other processor takes the interrupt, waits for the lock, and does what it is asked meanwhile.
                int self = FakeCpu.Index;
                FakeCpu.Index = (int)_target;
                RemoteRequests.Serve();
                FakeCpu.Index = self;
                _interrupted[_target] = true;
                break;
        }
    }
}
