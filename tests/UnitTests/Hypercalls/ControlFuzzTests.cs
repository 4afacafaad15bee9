// Random operations of a toolstack that has lost its mind.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

/// <summary>
/// Domain 0 is trusted, its numbers and pointers are not: whatever it passes, every frame is accounted for after each step, and
/// destroying all domains gives all memory back.
/// </summary>
public sealed class ControlFuzzTests
{
    private const int Steps = 400;
    private const int WordsOfArguments = 14;
    private const int HighestCommand = 90;

    public static IEnumerable<TheoryDataRow<int>> Seeds()
    {
        for (int seed = 1; seed <= 12; seed++)
        {
            yield return seed;
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void EveryFrameStaysAccountedFor(int seed)
    {
        TestDomain control = TestDomain.Create();
        Toolstack tools = new(control);
        FrameAudit audit = new();
        Random random = new(seed);
        List<Mfn> frames = [];
        for (int step = 0; step < Steps; step++)
        {
            Preemption.SliceTicks = random.Next(3) == 0 ? 0 : 1_000_000_000UL;
            Step(control, tools, random, frames);
            TlbClock.Settle();
            audit.Check();
        }

        Preemption.SliceTicks = 1_000_000_000;
        for (ushort id = 1; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken(id))
            {
                Assert.Equal(0, tools.Domctl(DomctlCommand.DestroyDomain, id));
                Assert.False(DomainTable.IsTaken(id));
            }
        }

        audit.Check();
        Assert.Equal(0UL, FrameAllocator.StakedFrames);
    }

    private static void Step(TestDomain control, Toolstack tools, Random random, List<Mfn> frames)
    {
        ushort id = (ushort)random.Next(0, 5);
        switch (random.Next(10))
        {
            case 0:
                tools.Domctl(DomctlCommand.CreateDomain, id, Toolstack.Ordinary((uint)random.Next(1, 4)));
                break;
            case 1:
                tools.Domctl(DomctlCommand.MaximumVcpus, id, (uint)random.Next(1, 4));
                break;
            case 2:
                tools.Domctl(DomctlCommand.MaximumMemory, id, (ulong)random.Next(0, 400));
                break;
            case 3:
                Populate(control, tools, random, id, frames);
                break;
            case 4:
                MmuExtendedCommand pin = random.Next(3) == 0 ? MmuExtendedCommand.UnpinTable : MmuExtendedCommand.PinL4Table;
                control.Extended(pin, FrameOf(random, frames), foreign: id);
                break;
            case 5:
                FillContext(tools, random, frames);
                tools.Domctl(DomctlCommand.SetVcpuContext, id, (random.NextUInt(4), random.Next(8) == 0 ? 0 : Toolstack.Buffer));
                break;
            case 6:
                tools.Domctl(random.Next(2) == 0 ? DomctlCommand.PauseDomain : DomctlCommand.UnpauseDomain, id);
                break;
            case 7 when random.Next(4) == 0:
                tools.Domctl(DomctlCommand.DestroyDomain, id);
                break;
            case 8:
                Noise(tools, random, frames);

                // Debug keys may end the machine: that is what they are for.
                SysctlCommand command = (SysctlCommand)random.Next(1, 31);
                tools.Sysctl(command == SysctlCommand.DebugKeys ? SysctlCommand.PhysicalInfo : command, Arguments(random, frames));
                break;
            default:
                Noise(tools, random, frames);
                tools.Domctl((DomctlCommand)random.Next(3, HighestCommand), id, Arguments(random, frames));
                break;
        }
    }

    private static void Populate(TestDomain control, Toolstack tools, Random random, ushort id, List<Mfn> frames)
    {
        int count = random.Next(1, 12);
        tools.Write(0, new MemoryReservation { ExtentStart = Toolstack.Buffer, ExtentCount = (ulong)count, DomainId = id });
        long done = control.Call(HypercallNumber.MemoryOp, 6, Toolstack.Structure);
        for (int i = 0; i < done; i++)
        {
            frames.Add(new Mfn(tools.Read<ulong>(4096 + (i * 8))));
        }
    }

    private static void FillContext(Toolstack tools, Random random, List<Mfn> frames)
    {
        tools.ClearBuffers();
        tools.WriteContext(VcpuGuestContextLayout.Flags, random.NextUInt(64));
        tools.WriteContext(VcpuGuestContextLayout.KernelRoot, FrameOf(random, frames) << 12);
        tools.WriteContext(VcpuGuestContextLayout.UserRoot, random.Next(2) == 0 ? 0 : FrameOf(random, frames) << 12);
        tools.WriteContext(VcpuGuestContextLayout.GdtEntries, random.NextUInt(600));
        tools.WriteContext(VcpuGuestContextLayout.GdtFrames, FrameOf(random, frames));
        tools.WriteContext(VcpuGuestContextLayout.GdtFrames + 8, FrameOf(random, frames));
    }

    private static void Noise(Toolstack tools, Random random, List<Mfn> frames)
    {
        for (int i = 0; i < 32; i++)
        {
            tools.Write(4096 + (i * 8), Word(random, frames));
        }
    }

    private static Words Arguments(Random random, List<Mfn> frames)
    {
        Words words = default;
        for (int i = 0; i < WordsOfArguments; i++)
        {
            words[i] = Word(random, frames);
        }

        return words;
    }

    private static ulong Word(Random random, List<Mfn> frames) => random.Next(8) switch
    {
        0 or 1 => random.NextUInt(4),
        2 or 3 => Toolstack.Buffer + (random.NextUInt(64) * 8),
        4 => FrameOf(random, frames),
        5 => (ulong)random.NextInt64(),
        6 => random.NextUInt(100),
        _ => 0,
    };

    private static ulong FrameOf(Random random, List<Mfn> frames)
        => frames.Count == 0 || random.Next(10) == 0 ? random.NextUInt((uint)FakeMachine.FrameCount) : frames[random.Next(frames.Count)].Value;

    [System.Runtime.CompilerServices.InlineArray(WordsOfArguments)]
    private struct Words
    {
        private ulong _first;
    }
}

/// <summary>Unsigned numbers from a source of signed ones.</summary>
internal static class RandomNumbers
{
    internal static ulong NextUInt(this Random random, uint limit) => (ulong)random.NextInt64(limit);
}
