// The core's lock and what processors ask of each other, in many orders.
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Interleavings;

[Trait(Soak.Kind, Soak.Random)]
public sealed class LockTests
{
    private const int ProcessorCount = 3;

    private int _inside;

    /// <summary>One holder at a time, every request is served before its holder goes on, and nobody waits for ever.</summary>
    [Fact]
    public void OneHolderAtATimeAndEveryRequestIsServed() => Explorer.Explore(() => RunRounds(ProcessorCount, 3), 60);

    /// <summary>The same for two processors and one round in every order with three switches that nothing forces.</summary>
    [Fact]
    public void TwoProcessorsInEveryOrder()
    {
        string? problem = Explorer.FindInAll(() => RunRounds(2, 1), 3, 4000, out int schedules);
        Assert.Null(problem);
        Assert.InRange(schedules, 100, 3999);
    }

    /// <summary>Who has the lock for long while another wants it leaves it alone for as long afterwards, once.</summary>
    [Fact]
    public void WhoKeepsAnotherWaitingWaitsAsLong() => Explorer.Explore(RunDebt, 30);

    /// <summary>The explorer can fail: it sees through a lock that looks and then takes.</summary>
    [Fact]
    public void ALockThatLooksBeforeItTakesIsSeenThrough()
    {
        string? problem = Explorer.Find(RunBrokenLock, 100, 1);
        Assert.Contains("two processors", problem, StringComparison.Ordinal);
    }

    /// <summary>And it sees a wait for an interrupt that was sent before.</summary>
    [Fact]
    public void ASleepWithoutASecondLookIsSeenThrough()
    {
        string? problem = Explorer.Find(RunBrokenSleep, 100, 1);
        Assert.Contains("sleeps for ever", problem, StringComparison.Ordinal);
    }

    private void RunRounds(int processors, int rounds)
    {
        TestDomain domain = TestDomain.Create();
        _inside = 0;
        Processors.Run(processors, (machine, self) =>
        {
            ProcessorTable.Current.LoadedDomain = domain.Id;
            for (int round = 0; round < rounds; round++)
            {
                HypervisorLock.Enter();
                Processors.Check(++_inside == 1, "two processors hold the lock");
                if ((self + round) % 2 == 0)
                {
                    RequestAndSettle(domain.Id, processors, self);
                }

                _inside--;
                HypervisorLock.Exit();
                machine.TakeInterrupt(self);
            }
        });
        Processors.Check(!HypervisorLock.IsWanted, "a processor is still noted as waiting");
    }

    private static void RunDebt()
    {
        const ulong Long = 50_000;
        TestDomain.ResetMachine();
        FakeCpu.TscStep = 100;
        Preemption.SliceTicks = 1_000_000;
        int isTaken = 0;
        int isDone = 0;
        Processors.Run(2, (_, self) =>
        {
            if (self != 0)
            {
                WaitFor(ref isTaken);
                HypervisorLock.Enter();
                HypervisorLock.Exit();
                ControlledVolatile.Write(ref isDone, 1);
                return;
            }

            HypervisorLock.Enter();
            ControlledVolatile.Write(ref isTaken, 1);
            while (!HypervisorLock.IsWanted)
            {
                Cpu.Pause();
            }

            FakeCpu.Tsc += Long;
            HypervisorLock.Exit();
            WaitFor(ref isDone);
            Processors.Check(TicksToEnter() is >= Long and < 2 * Long, "who kept another waiting did not wait as long");
            Processors.Check(TicksToEnter() < Long, "a debt is paid twice");
        });
    }

    private static void WaitFor(ref int flag)
    {
        while (ControlledVolatile.Read(ref flag) == 0)
        {
            Cpu.Pause();
        }
    }

    private static ulong TicksToEnter()
    {
        ulong before = FakeCpu.Tsc;
        HypervisorLock.Enter();
        ulong ticks = FakeCpu.Tsc - before;
        HypervisorLock.Exit();
        return ticks;
    }

    private static void RequestAndSettle(ushort domain, int processors, int self)
    {
        ulong[] before = new ulong[processors];
        bool[] isAsked = new bool[processors];
        for (int other = 0; other < processors; other++)
        {
            before[other] = Flushes(other, self);
            isAsked[other] = other == self || ProcessorTable.At(other).LoadedDomain == domain;
        }

        TlbClock.RequestFlush(domain);
        TlbClock.Settle();
        for (int other = 0; other < processors; other++)
        {
            Processors.Check(!isAsked[other] || Flushes(other, self) > before[other], "a processor has not flushed");
            Processors.Check(ProcessorTable.At(other).Requests == 0, "a request is left over");
        }
    }

    private static ulong Flushes(int processor, int self)
    {
        FakeCpu.Index = processor;
        ulong flushes = Tlb.FlushCount;
        FakeCpu.Index = self;
        return flushes;
    }

    private void RunBrokenLock()
    {
        TestDomain.ResetMachine();
        _inside = 0;
        int holder = 0;
        Processors.Run(2, (_, self) =>
        {
            while (ControlledVolatile.Read(ref holder) != 0)
            {
                Cpu.Pause();
            }

            ControlledVolatile.Write(ref holder, self + 1);
            Processors.Check(++_inside == 1, "two processors hold the lock");
            ControlledVolatile.Read(ref holder);
            _inside--;
            ControlledVolatile.Write(ref holder, 0);
        });
    }

    private static void RunBrokenSleep()
    {
        TestDomain.ResetMachine();
        int work = 0;
        int sleeping = 0;
        bool isDone = false;
        Processors.Run(2, (_, self) =>
        {
            if (self == 0)
            {
                ControlledVolatile.Write(ref work, 1);
                if (ControlledVolatile.Read(ref sleeping) != 0)
                {
                    LocalApic.SendInterrupt(1, 0xF2);
                }

                return;
            }

            if (ControlledVolatile.Read(ref work) == 0)
            {
                ControlledVolatile.Write(ref sleeping, 1);
                Cpu.HaltWithInterrupts();
            }

            isDone = true;
        });
        Processors.Check(isDone, "a processor sleeps for ever");
    }
}
