// Where the time of each vcpu goes.
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Scheduling;

public sealed class RunStateTests
{
    private const int Vcpus = 3;

    /// <summary>However vcpus block, yield, wake, go down and come up: every nanosecond is in exactly one account, one vcpu runs.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void EveryNanosecondIsInOneAccount(int seed)
    {
        TestDomain domain = TestDomain.Create(vcpus: Vcpus);
        Random random = new(seed);
        ulong[] created = [.. Enumerable.Range(0, Vcpus).Select(vcpu => RunState.Read(ref domain.Vcpu(vcpu))).Select(info => info.EntryTime - Sum(in info))];
        int current;
        for (int vcpu = 1; vcpu < Vcpus; vcpu++)
        {
            Scheduler.Up(ref domain.Vcpu(vcpu));
        }

        FakeCpu.OnHalt = () =>
        {
            FakeCpu.Tsc += 5000;
            int woken = random.Next(Vcpus);
            Scheduler.Up(ref domain.Vcpu(woken));
            Scheduler.Wake(ref domain.Vcpu(woken));
        };
        current = Scheduler.Choose(-1);
        for (int step = 0; step < 5000; step++)
        {
            FakeCpu.Tsc += (ulong)random.Next(100_000);
            ref Vcpu running = ref domain.Vcpu(current);
            int other = random.Next(Vcpus);
            switch (random.Next(7))
            {
                case 0: Scheduler.Block(ref running); break;
                case 1: Scheduler.Yield(ref running); break;
                case 2: Scheduler.Wake(ref domain.Vcpu(other)); break;
                case 3 when random.Next(3) == 0: Scheduler.Down(ref domain.Vcpu(other)); break;
                case 4 when !domain.Vcpu(other).Schedule.IsUp: Scheduler.Up(ref domain.Vcpu(other)); break;
                case 5: Timers.OnInterrupt(); break;
            }

            current = Scheduler.Choose(current);
            for (int vcpu = 0; vcpu < Vcpus; vcpu++)
            {
                VcpuRunstateInfo info = RunState.Read(ref domain.Vcpu(vcpu));
                Assert.True(Sum(in info) == info.EntryTime - created[vcpu], $"seed {seed} step {step}: vcpu {vcpu} has lost time");
                Assert.True(info.State == RunState.Running == (vcpu == current), $"seed {seed} step {step}: vcpu {vcpu} in state {info.State}, vcpu {current} runs");
                ref VcpuSchedule schedule = ref domain.Vcpu(vcpu).Schedule;
                int expected = vcpu == current ? RunState.Running : !schedule.IsUp ? RunState.Offline : schedule.IsBlocked ? RunState.Blocked : RunState.Runnable;
                Assert.True(info.State == expected, $"seed {seed} step {step}: vcpu {vcpu} is in state {info.State}, should be {expected}");
            }
        }
    }

    private static ulong Sum(in VcpuRunstateInfo info) => info.Running + info.Runnable + info.Blocked + info.Offline;
}
