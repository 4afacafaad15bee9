// The page-type system under random commands: after each one, every reference of every frame is counted anew.
using System.Collections.Generic;
using System.Text;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

[Trait(Soak.Kind, Soak.Random)]
public sealed class PageTypeModelTests
{
    private const int Steps = 6000;
    private const int Remembered = 12;

    public static IEnumerable<TheoryDataRow<int>> Seeds() => Soak.Seeds(1, 12);

    public static IEnumerable<TheoryDataRow<int>> SeedsOfTwo() => Soak.Seeds(1001, 4);

    /// <summary>Two vcpus of one privileged domain, each command interrupted at random.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void CountsAddUpAfterEachCommand(int seed)
    {
        TestDomain domain = TestDomain.Create();
        Random random = new(seed);
        RandomGuest guest = new(domain, random);
        Run(seed, new FrameAudit(), random, guest);
    }

    [Theory]
    [MemberData(nameof(SeedsOfTwo))]
    public void CountsAddUpWithADomainThatActsOnAnother(int seed)
    {
        TestDomain control = TestDomain.Create();
        TestDomain ordinary = TestDomain.CreateOther(1, vcpus: 2);
        Random random = new(seed);
        RandomGuest first = new(control, random);
        RandomGuest second = new(ordinary, random) { Neighbour = first };
        first.Neighbour = second;
        Run(seed, new FrameAudit { Served = 1 }, random, first, second);
    }

    private static void Run(int seed, FrameAudit audit, Random random, params RandomGuest[] guests)
    {
        // The HPET of this machine lies where the frame table knows it: in the first MiB.
        PlatformInfo.HpetAddress = 0x5000;
        GuestMemory.KeepsTranslations = true;
        GuestMemory.OnWrite = CheckWrite;
        Queue<string> commands = new();
        int step = 0;
        try
        {
            audit.Check();
            for (; step < Steps; step++)
            {
                RandomGuest guest = guests[random.Next(guests.Length)];
                guest.Step();
                commands.Enqueue($"{step}: {guest.Last}");
                if (commands.Count > Remembered)
                {
                    commands.Dequeue();
                }

                audit.Check();
            }

            foreach (RandomGuest guest in guests)
            {
                guest.PutEverythingBack();
                audit.Check();
            }
        }
        catch (Exception problem) when (problem is AuditException or HypervisorPanicException)
        {
            StringBuilder report = new();
            report.Append("seed ").Append(seed).Append(", step ").Append(step).Append(": ").AppendLine(problem.Message).AppendLine("the last commands:");
            foreach (string command in commands)
            {
                report.AppendLine(command);
            }

            foreach (RandomGuest guest in guests)
            {
                report.AppendLine(guest.Last);
            }

            Assert.Fail(report.ToString());
        }
    }

    /// <summary>The hypervisor's own copy to a guest must not land in a page table either.</summary>
    private static void CheckWrite(ulong address, int bytes)
    {
        if (GuestMemory.TryTranslate(address, true, out ulong physical) && physical >> 12 is >= FakeMachine.FirstUsableFrame and < 8192)
        {
            FrameAudit.CheckAccess(address, new Mfn(physical >> 12), true, "a copy to the guest");
        }
    }
}
