// What each vcpu gets of the processors: weights, caps, affinities, and how long who wakes has to wait.
using System.Collections.Generic;
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Scheduling;

public sealed class ShareTests
{
    private const ulong Millisecond = FakeProcessors.Millisecond;
    private const ulong Second = 1000 * Millisecond;

    [Theory]
    [InlineData(256, 512, 2.0)]
    [InlineData(512, 256, 0.5)]
    [InlineData(100, 300, 3.0)]
    [InlineData(1, 20, 20.0)]
    [InlineData(65535, 13107, 0.2)]
    public void WeightsAreShares(uint first, uint second, double ratio)
    {
        using FakeProcessors machine = new(1);
        int one = machine.AddHogs(1, 1, first);
        int other = machine.AddHogs(2, 1, second);
        machine.Run(20 * Second);
        AssertRatio(ratio, other, one);
    }

    [Theory]
    [InlineData(2, 3)]
    [InlineData(3, 4)]
    [InlineData(4, 7)]
    [InlineData(4, 30)]
    public void HogsShareAllProcessorsEqually(int processors, int hogs)
    {
        using FakeProcessors machine = new(processors);
        int first = machine.AddHogs(1, hogs);
        machine.Run(10 * Second);
        for (int hog = 0; hog < hogs; hog++)
        {
            Assert.InRange(FakeProcessors.Had(first + hog) / (10.0 * Second * processors / hogs), 0.97, 1.03);
        }
    }

    /// <summary>Vcpus that may not use each other's processors do not disturb each other's shares, and one that may use both starves nobody.</summary>
    [Fact]
    public void PartsOfTheMachineAreFairInThemselves()
    {
        using FakeProcessors machine = new(2);
        machine.AddHogs(1, 3, affinity: 1);
        int light = machine.AddHogs(2, 1, 256, affinity: 2);
        int heavy = machine.AddHogs(3, 1, 512, affinity: 2);
        machine.Run(10 * Second);
        AssertRatio(2.0, heavy, light);
        machine.AddHogs(4, 1);
        ulong before = FakeProcessors.Had(light);
        machine.Run(1 * Second);
        Assert.InRange(FakeProcessors.Had(light) - before, 150 * Millisecond, 400 * Millisecond);
    }

    /// <summary>A vcpu that had a processor to itself for long owes nothing for it when others come.</summary>
    [Fact]
    public void WhoWasAloneIsNotPunished()
    {
        using FakeProcessors machine = new(2);
        int old = machine.AddHogs(1, 1);
        machine.Run(60 * Second);
        int first = machine.AddHogs(2, 1);
        int second = machine.AddHogs(3, 1);
        ulong before = FakeProcessors.Had(old);
        machine.Run(3 * Second);
        Assert.InRange(FakeProcessors.Had(old) - before, 19 * Second / 10, 21 * Second / 10);
        Assert.InRange(FakeProcessors.Had(first), 19 * Second / 10, 21 * Second / 10);
        Assert.InRange(FakeProcessors.Had(second), 19 * Second / 10, 21 * Second / 10);
    }

    [Theory]
    [InlineData(25, 1, 1)]
    [InlineData(25, 4, 4)]
    [InlineData(50, 2, 1)]
    [InlineData(90, 1, 1)]
    [InlineData(150, 4, 4)]
    [InlineData(250, 4, 3)]
    [InlineData(1, 1, 1)]
    public void CapsHold(uint cap, int vcpus, int processors)
    {
        using FakeProcessors machine = new(processors);
        int first = machine.AddHogs(1, vcpus, cap: cap);
        for (int second = 0; second < 3; second++)
        {
            ulong before = Total(first, vcpus);
            machine.Run(Second);
            double part = (Total(first, vcpus) - before) / (double)Second;
            Assert.InRange(part, cap / 100.0 * 0.97, cap / 100.0 * 1.03);
        }
    }

    [Fact]
    public void WhatACapLeavesGoesToOthers()
    {
        using FakeProcessors machine = new(1);
        int capped = machine.AddHogs(1, 1, 1024, 25);
        int other = machine.AddHogs(2, 1);
        machine.Run(4 * Second);
        Assert.InRange(FakeProcessors.Had(capped) / (4.0 * Second), 0.2425, 0.2575);
        Assert.InRange(FakeProcessors.Had(other) / (4.0 * Second), 0.7425, 0.7575);

        Assert.Equal(XenError.None, SchedulerParameters.TrySet(ref DomainTable.At(1), 0, 0));
        ulong before = FakeProcessors.Had(capped);
        machine.Run(4 * Second);
        Assert.InRange((FakeProcessors.Had(capped) - before) / (4.0 * Second), 0.776, 0.824);
    }

    /// <summary>However many run, who wakes waits no longer than the rate limit.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 8)]
    [InlineData(3, 20)]
    public void WhoWakesIsServedSoon(int processors, int hogs)
    {
        using FakeProcessors machine = new(processors);
        machine.AddHogs(1, hogs);
        int sleeper = machine.AddDomain(2, 1);
        Scheduler.Up(ref VcpuTable.At(sleeper));
        machine.On(0, () => Scheduler.Block(ref VcpuTable.At(sleeper)));
        machine.Run(100 * Millisecond);
        Random random = new(1);
        for (int step = 0; step < 200; step++)
        {
            machine.Run((5 * Millisecond) + (ulong)random.Next(7_000_000));
            machine.On(random.Next(processors), () => Scheduler.Wake(ref VcpuTable.At(sleeper)));
            ulong woken = FakeProcessors.Now;
            while (!machine.Running.Contains(sleeper))
            {
                machine.Run(Millisecond / 100);
                Assert.InRange(FakeProcessors.Now - woken, 0UL, Millisecond + (Millisecond / 50));
            }

            machine.Run(Millisecond / 10);
            int processor = Array.IndexOf(machine.Running, sleeper);
            machine.On(processor, () => Scheduler.Block(ref VcpuTable.At(sleeper)));
        }
    }

    [Fact]
    public void AProcessorWithOneVcpuHasNoSlices()
    {
        using FakeProcessors machine = new(4);
        machine.AddHogs(1, 3);
        machine.Run(20 * Millisecond);
        Array.Clear(machine.TimerInterrupts);
        machine.Run(10 * Second);
        Assert.Equal([0, 0, 0, 0], machine.TimerInterrupts);
    }

    [Fact]
    public void SoftAffinityIsAPreferenceOnly()
    {
        using FakeProcessors machine = new(4);
        int first = machine.AddDomain(1, 4);
        for (int vcpu = first; vcpu < first + 4; vcpu++)
        {
            SchedulerParameters.SetSoftAffinity(ref VcpuTable.At(vcpu), 0b1100, out ulong effective);
            Assert.Equal(0b1100UL, effective);
            Scheduler.Up(ref VcpuTable.At(vcpu));
            machine.Settle();
            Assert.Equal(vcpu - first + 1, machine.Running.Count(running => running >= 0));
            Assert.Equal(Math.Min(vcpu - first + 1, 2), machine.Running.Skip(2).Count(running => running >= 0));
        }
    }

    [Fact]
    public void AffinityAndPinsMoveARunningVcpu()
    {
        using FakeProcessors machine = new(3);
        int vcpu = machine.AddHogs(1, 1);
        for (int processor = 0; processor < 3; processor++)
        {
            machine.On(0, () => Assert.Equal(XenError.None, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(vcpu), 1UL << processor | 1UL << 40, out ulong effective)));
            Assert.Equal(vcpu, machine.Running[processor]);
            Assert.Equal(1UL << processor, VcpuTable.At(vcpu).Schedule.Allowed);
        }

        Assert.Equal(XenError.Invalid, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(vcpu), 1UL << 3, out _));
        Assert.Equal(XenError.Invalid, SchedulerParameters.TryPin(ref VcpuTable.At(vcpu), 0));
        machine.On(0, () => Assert.Equal(XenError.None, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(vcpu), ulong.MaxValue, out _)));
        machine.On(2, () => Assert.Equal(XenError.None, SchedulerParameters.TryPin(ref VcpuTable.At(vcpu), 1)));
        Assert.Equal(vcpu, machine.Running[1]);
        Assert.Equal(XenError.Busy, SchedulerParameters.TryPin(ref VcpuTable.At(vcpu), 1));
        Assert.Equal(XenError.Busy, SchedulerParameters.TrySetHardAffinity(ref VcpuTable.At(vcpu), 1, out _));
        Assert.Equal(XenError.None, SchedulerParameters.TryUnpin(ref VcpuTable.At(vcpu)));
        Assert.Equal(XenError.Invalid, SchedulerParameters.TryUnpin(ref VcpuTable.At(vcpu)));
        Assert.Equal(7UL, VcpuTable.At(vcpu).Schedule.Allowed);
    }

    [Fact]
    public void ParametersAreChecked()
    {
        using FakeProcessors machine = new(1);
        machine.AddDomain(1, 1);
        ref Domain domain = ref DomainTable.At(1);
        Assert.Equal(256U, domain.Schedule.Weight);
        Assert.Equal(XenError.Invalid, SchedulerParameters.TrySet(ref domain, 65536, 0));
        Assert.Equal(XenError.None, SchedulerParameters.TrySet(ref domain, 65535, 100_000));
        Assert.Equal(XenError.None, SchedulerParameters.TrySet(ref domain, 0, 70));
        Assert.Equal((65535U, 70U), (domain.Schedule.Weight, domain.Schedule.Cap));
        Assert.Equal(1000U, SchedulerParameters.RateLimit);
        Assert.Equal(XenError.Invalid, SchedulerParameters.TrySetRateLimit(99));
        Assert.Equal(XenError.Invalid, SchedulerParameters.TrySetRateLimit(500_001));
        Assert.Equal(XenError.None, SchedulerParameters.TrySetRateLimit(0));
        Assert.Equal(0U, SchedulerParameters.RateLimit);
    }

    /// <summary>A thousand vcpus in many domains each get their part.</summary>
    [Fact]
    public void AThousandVcpusShareFourProcessors()
    {
        using FakeProcessors machine = new(4);
        List<int> hogs = [];
        for (int id = 1; id <= 40; id++)
        {
            int first = machine.AddHogs(id, 25);
            hogs.AddRange(Enumerable.Range(first, 25));
        }

        machine.Run(200 * Second);
        Assert.All(hogs, hog => Assert.InRange(FakeProcessors.Had(hog), 776 * Millisecond, 824 * Millisecond));
    }

    private static ulong Total(int first, int vcpus) => Enumerable.Range(first, vcpus).Aggregate(0UL, (sum, vcpu) => sum + FakeProcessors.Had(vcpu));

    private static void AssertRatio(double expected, int vcpu, int other)
    {
        double ratio = (double)FakeProcessors.Had(vcpu) / FakeProcessors.Had(other);
        Assert.InRange(ratio, expected * 0.97, expected * 1.03);
    }
}
