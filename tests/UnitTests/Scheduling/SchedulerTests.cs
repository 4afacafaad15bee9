// Who gets the processor.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Scheduling;

public sealed class SchedulerTests
{
    private const ulong Millisecond = 1_000_000;

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void HogsShareAProcessorEqually(int hogs)
    {
        TestDomain domain = TestDomain.Create(vcpus: hogs);
        for (int vcpu = 1; vcpu < hogs; vcpu++)
        {
            Scheduler.Up(ref domain.Vcpu(vcpu));
        }

        ulong[] had = new ulong[hogs];
        int current = -1;
        for (int step = 0; step < 1200; step++)
        {
            current = Scheduler.Choose(current);
            ulong before = SystemTime.Now();
            FakeCpu.Tsc += SystemTime.ToTicks(10 * Millisecond);
            Timers.OnInterrupt();
            had[current] += SystemTime.Now() - before;
        }

        ulong total = 0;
        Array.ForEach(had, time => total += time);
        Assert.All(had, time => Assert.InRange((double)time * hogs / total, 0.97, 1.03));
    }

    [Fact]
    public void AVcpuThatWakesGoesBeforeAHog()
    {
        TestDomain domain = TestDomain.Create(vcpus: 2);
        Scheduler.Up(ref domain.Vcpu(1));
        Scheduler.Block(ref domain.Vcpu(1));
        int current = Scheduler.Choose(-1);
        for (int step = 0; step < 50; step++)
        {
            Assert.Equal(0, current);
            FakeCpu.Tsc += SystemTime.ToTicks(7 * Millisecond);
            Scheduler.Wake(ref domain.Vcpu(1));
            current = Scheduler.Choose(current);
            Assert.Equal(1, current);
            FakeCpu.Tsc += SystemTime.ToTicks(Millisecond / 10);
            Scheduler.Block(ref domain.Vcpu(1));
            current = Scheduler.Choose(current);
        }
    }

    [Fact]
    public void SleepSavesNoTimeUp()
    {
        TestDomain domain = TestDomain.Create(vcpus: 2);
        Scheduler.Up(ref domain.Vcpu(1));
        Scheduler.Block(ref domain.Vcpu(1));
        int current = Scheduler.Choose(-1);

        // The other runs for a minute; then both want to.
        FakeCpu.Tsc += SystemTime.ToTicks(60_000 * Millisecond);
        Scheduler.Wake(ref domain.Vcpu(1));
        ulong sleeper = 0;
        ulong hog = 0;
        for (int step = 0; step < 400; step++)
        {
            current = Scheduler.Choose(current);
            ulong before = SystemTime.Now();
            FakeCpu.Tsc += SystemTime.ToTicks(5 * Millisecond);
            Timers.OnInterrupt();
            ulong spent = SystemTime.Now() - before;
            sleeper += current == 1 ? spent : 0;
            hog += current == 0 ? spent : 0;
        }

        Assert.InRange((double)sleeper / (sleeper + hog), 0.47, 0.53);
    }

    [Fact]
    public void YieldLetsTheOtherRun()
    {
        TestDomain domain = TestDomain.Create(vcpus: 2);
        Scheduler.Up(ref domain.Vcpu(1));
        int current = Scheduler.Choose(-1);
        for (int step = 0; step < 20; step++)
        {
            int before = current;
            FakeCpu.Tsc += SystemTime.ToTicks(Millisecond / 50);
            Scheduler.Yield(ref domain.Vcpu(current));
            current = Scheduler.Choose(current);
            Assert.NotEqual(before, current);
        }
    }
}
