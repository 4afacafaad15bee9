// Whatever vcpus and toolstack do: who runs may, who waits has a reason.
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Scheduling;

public sealed class SchedulerModelTests
{
    private const int Domains = 4;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 3)]
    [InlineData(4, 4)]
    [InlineData(5, 64)]
    public void EveryVcpuIsWhereItBelongs(int seed, int processors)
    {
        using FakeProcessors machine = new(processors);
        for (int id = 1; id <= Domains; id++)
        {
            machine.AddDomain(id, 1 + (id * 2));
        }

        Random random = new(seed);
        int[] vcpus = [.. machine.All()];
        for (int step = 0; step < 6000; step++)
        {
            int index = vcpus[random.Next(vcpus.Length)];
            string what = "time passes";
            if (random.Next(3) == 0)
            {
                machine.Run((ulong)random.Next(random.Next(10) == 0 ? 30_000_000 : 1_000_000));
            }
            else
            {
                machine.On(random.Next(processors), () => what = Operate(machine, random, index));
            }

            string? wrong = Check(machine);
            Assert.True(wrong is null, $"seed {seed} step {step}, {what} (vcpu {index}): {wrong}");
        }
    }

    [Fact]
    public void ARemovedVcpuIsNowhere()
    {
        using FakeProcessors machine = new(2);
        int first = machine.AddHogs(1, 4);
        machine.Run(50_000_000);
        for (int index = first; index < first + 4; index++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(index);
            vcpu.Time.SingleShot = FakeProcessors.Now + 1_000_000;
            int processor = (vcpu.Schedule.RunsOn + 1) % 2;
            FakeCpu.Index = processor;
            Timers.Update(ref vcpu);
            Scheduler.Pause(ref vcpu);
            Assert.Equal(vcpu.Schedule.RunsOn < 0, Scheduler.TryStop(ref vcpu));
            machine.Settle();
            Assert.True(Scheduler.TryStop(ref vcpu));
            Assert.Equal(-1, vcpu.Schedule.LoadedOn);
            machine.On(processor, () => Scheduler.Remove(ref VcpuTable.At(index)));
            Assert.False(vcpu.Schedule.Node.IsLinked || vcpu.Time.Node.IsLinked);
            Assert.DoesNotContain(index, machine.Running);
            Assert.All(new[] { 0, 1 }, at => Assert.NotEqual(index, ProcessorTable.At(at).CurrentVcpu));
        }

        machine.Run(50_000_000);
        Assert.Equal([-1, -1], machine.Running);
    }

    private static string Operate(FakeProcessors machine, Random random, int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        ref Domain domain = ref vcpu.Domain;
        bool runsHere = vcpu.Schedule.RunsOn == FakeCpu.Index;
        ulong mask = random.Next(3) == 0 ? ulong.MaxValue : (ulong)random.NextInt64() & ProcessorTable.Online;
        switch (random.Next(14))
        {
            case 0 or 1 when vcpu.Schedule.RunsOn < 0 && vcpu.Schedule.IsUp:
                Scheduler.Wake(ref vcpu);
                return "wake";
            case 2 or 3 when runsHere:
                Scheduler.Block(ref vcpu);
                return "block";
            case 4 when runsHere:
                Scheduler.Yield(ref vcpu);
                return "yield";
            case 5:
                Scheduler.Up(ref vcpu);
                return "up";
            case 6 when random.Next(4) == 0:
                Scheduler.Down(ref vcpu);
                return "down";
            case 7 when vcpu.Schedule.PauseCount < 2:
                Scheduler.Pause(ref vcpu);
                return "pause";
            case 8 or 9 when vcpu.Schedule.PauseCount > 0:
                Scheduler.Unpause(ref vcpu);
                return "unpause";
            case 10:
                SchedulerParameters.TrySetHardAffinity(ref vcpu, mask, out _);
                return $"hard affinity {mask:x}";
            case 11:
                SchedulerParameters.SetSoftAffinity(ref vcpu, mask, out _);
                return $"soft affinity {mask:x}";
            case 12:
                uint weight = (uint)random.Next(3) switch { 0 => 0U, 1 => (uint)random.Next(1, 1000), _ => 65535U };
                uint cap = random.Next(2) == 0 ? 0U : (uint)random.Next(1, 400);
                Assert.Equal(XenError.None, SchedulerParameters.TrySet(ref domain, weight, cap));
                return $"weight {weight} cap {cap}";
            case 13 when runsHere:
                if (SchedulerParameters.TryUnpin(ref vcpu) != XenError.None)
                {
                    SchedulerParameters.TryPin(ref vcpu, random.Next(machine.Count));
                }

                return "pin";
            default:
                vcpu.Time.SingleShot = FakeProcessors.Now + (ulong)random.Next(20_000_000);
                Timers.Update(ref vcpu);
                return "timer";
        }
    }

    private static string? Check(FakeProcessors machine)
    {
        foreach (int index in machine.All())
        {
            ref Vcpu vcpu = ref VcpuTable.At(index);
            ref VcpuSchedule schedule = ref vcpu.Schedule;
            bool isParked = vcpu.Domain.Schedule.IsParked;
            int runsOn = Array.IndexOf(machine.Running, index);
            bool mayRun = schedule.IsRunnable && !isParked;
            ulong allowed = schedule.HardAffinity & ProcessorTable.Online & (schedule.IsPinned ? 1UL << schedule.PinnedTo : ulong.MaxValue);
            int state = schedule.IsRunnable ? RunState.Runnable : schedule.IsUp && schedule.IsBlocked ? RunState.Blocked : RunState.Offline;
            VcpuRunstateInfo info = RunState.Read(ref vcpu);
            if (runsOn != schedule.RunsOn || (runsOn >= 0 && (!mayRun || ((allowed >> runsOn) & 1) == 0)))
            {
                return $"vcpu {index} runs on {runsOn}, the scheduler says {schedule.RunsOn}, allowed are {allowed:x}, may run: {mayRun}";
            }

            if (schedule.Node.IsLinked != (mayRun && runsOn < 0))
            {
                return $"vcpu {index} waits in the queue: {schedule.Node.IsLinked}, may run: {mayRun}, runs on {runsOn}";
            }

            if (info.State != (runsOn >= 0 ? RunState.Running : state))
            {
                return $"vcpu {index} is in run state {info.State} and should be in {state}";
            }

            if (info.Running + info.Runnable + info.Blocked + info.Offline != info.EntryTime)
            {
                return $"vcpu {index} has lost time";
            }

            if (vcpu.Time.SingleShot != 0 && !(machine.TimerOf(vcpu.Time.WatchedBy) - 1 < vcpu.Time.SingleShot))
            {
                return $"nobody wakes vcpu {index} at {vcpu.Time.SingleShot}";
            }

            if (isParked && VcpuTable.At(vcpu.Domain.VcpuIndex(0)).Time.DomainDeadline == 0)
            {
                return $"domain {vcpu.DomainId} is parked for ever";
            }

            if (!schedule.Node.IsLinked)
            {
                continue;
            }

            bool someoneWillLook = false;
            for (int processor = 0; processor < machine.Count; processor++)
            {
                if (((allowed >> processor) & 1) != 0)
                {
                    if (machine.Running[processor] < 0)
                    {
                        return $"vcpu {index} waits while processor {processor} is idle";
                    }

                    ulong end = ProcessorTable.At(processor).SliceEnd;
                    someoneWillLook |= end != 0 && machine.TimerOf(processor) - 1 < end;
                }
            }

            if (!someoneWillLook)
            {
                return $"vcpu {index} waits and no processor's slice ends";
            }
        }

        return null;
    }
}
