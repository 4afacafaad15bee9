// The buddy allocator against a model.
using System.Collections.Generic;
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Memory;

public sealed class FrameAllocatorTests
{
    private const ulong First = FakeMachine.FirstUsableFrame;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AgreesWithAModel(int seed)
    {
        TestDomain.ResetMachine();
        Random random = new(seed);
        Dictionary<ulong, int> taken = [];
        HashSet<ulong> used = [];
        ulong total = FrameAllocator.TotalFrames;
        for (int step = 0; step < 5000; step++)
        {
            if (random.Next(100) < 55)
            {
                int order = random.Next(4) == 0 ? random.Next(13) : random.Next(4);
                int bits = random.Next(3) == 0 ? random.Next(10, 30) : 64;
                ulong limit = bits >= 52 ? ulong.MaxValue : 1UL << Math.Max(bits - 12, 0);
                bool exists = HasBlock(used, order, limit);
                bool found = FrameAllocator.TryAllocate(order, bits, out Mfn frame);
                Assert.True(found == exists, $"seed {seed} step {step}: order {order}, {bits} bits: found {found}, the model says {exists}");
                if (found)
                {
                    ulong count = 1UL << order;
                    Assert.True(frame.Value % count == 0 && frame.Value + count <= limit, $"seed {seed} step {step}: frame {frame.Value:X} of order {order}");
                    for (ulong i = 0; i < count; i++)
                    {
                        Assert.True(frame.Value + i >= First && used.Add(frame.Value + i), $"seed {seed} step {step}: frame {frame.Value + i:X} given out twice");
                    }

                    taken.Add(frame.Value, order);
                }
            }
            else if (taken.Count != 0)
            {
                (ulong block, int order) = taken.ElementAt(random.Next(taken.Count));
                taken.Remove(block);
                Release(random, block, order);
                for (ulong i = 0; i < 1UL << order; i++)
                {
                    used.Remove(block + i);
                }
            }

            Assert.Equal(total - (ulong)used.Count, FrameAllocator.FreeFrames);
        }

        foreach ((ulong block, int order) in taken)
        {
            FrameAllocator.Free(new Mfn(block), order);
        }

        // Everything has merged again: 4096 frames at 4096 are one block.
        Assert.Equal(total, FrameAllocator.FreeFrames);
        Assert.True(FrameAllocator.TryAllocate(12, 64, out Mfn whole));
        Assert.Equal(First, whole.Value);
        Assert.False(FrameAllocator.TryAllocate(0, 64, out _));
    }

    [Fact]
    public void TakesRangesThatAreNotAligned()
    {
        TestDomain.ResetMachine();
        FrameAllocator.Initialize();
        FrameAllocator.AddRange(new Mfn(First + 3), 1021);
        Assert.Equal(1021UL, FrameAllocator.TotalFrames);
        HashSet<ulong> seen = [];
        while (FrameAllocator.TryAllocate(0, 64, out Mfn frame))
        {
            Assert.True(seen.Add(frame.Value) && frame.Value >= First + 3 && frame.Value < First + 1024);
        }

        Assert.Equal(1021, seen.Count);
        Assert.Equal(0UL, FrameAllocator.FreeFrames);
    }

    [Fact]
    public void IgnoresWhatLiesBeyondTheFrameTable()
    {
        TestDomain.ResetMachine();
        FrameAllocator.Initialize();
        FrameAllocator.AddRange(new Mfn(FrameTable.Count - 2), 100);
        FrameAllocator.AddRange(new Mfn(FrameTable.Count + 5), 100);
        Assert.Equal(2UL, FrameAllocator.FreeFrames);
    }

    [Fact]
    public void GivesAPageBackWipedWhenTheLastReferenceGoes()
    {
        TestDomain domain = TestDomain.Create();
        Mfn page = domain.NewPage();
        PhysicalMemory.Word(page, 7) = 0x5EC2E7;
        Assert.True(DomainFrames.TryGet(page, domain.Id));
        Assert.True(DomainFrames.TryRelease(ref domain.Domain, page));
        Assert.False(DomainFrames.TryRelease(ref domain.Domain, page));
        ulong free = FrameAllocator.FreeFrames;
        DomainFrames.Put(page);
        Assert.Equal(free + 1, FrameAllocator.FreeFrames);
        Assert.Equal(0UL, PhysicalMemory.Word(page, 7));
        Assert.False(DomainFrames.TryGet(page, domain.Id));
    }

    [Fact]
    public void KeepsADomainWithinItsMaximum()
    {
        TestDomain domain = TestDomain.Create();
        domain.Domain.Memory.MaximumPages = domain.Domain.Memory.TotalPages + 3;
        Assert.False(DomainFrames.TryAllocate(ref domain.Domain, 2, 64, out _));
        Assert.True(DomainFrames.TryAllocate(ref domain.Domain, 1, 64, out _));
        Assert.Equal(1, domain.Populate(0x100, 3));
        Assert.Equal(0, domain.Populate(0x100, 1));
    }

    [Fact]
    public void CountsStopBelowTheLimit()
    {
        TestDomain domain = TestDomain.Create();
        Mfn page = domain.NewPage();
        TestDomain.Frame(page).OwnerWord += (FrameInfo.CountLimit - 1UL) << 32;
        Assert.False(DomainFrames.TryGet(page, domain.Id));
        Assert.Equal(XenError.Invalid, PageTypes.TryTakeWritable(ref domain.Domain, page));
        Assert.Equal(-16, domain.SetWindow(0, TestDomain.Entry(page, TestDomain.Present)));
    }

    /// <summary>Frees a block as a whole or in two parts.</summary>
    private static void Release(Random random, ulong block, int order)
    {
        if (order > 0 && random.Next(2) == 0)
        {
            ulong half = 1UL << (order - 1);
            FrameAllocator.Free(new Mfn(block + half), order - 1);
            FrameAllocator.Free(new Mfn(block), order - 1);
            return;
        }

        FrameAllocator.Free(new Mfn(block), order);
    }

    private static bool HasBlock(HashSet<ulong> used, int order, ulong limit)
    {
        ulong count = 1UL << order;
        for (ulong block = First; block + count <= FrameTable.Count && block + count <= limit; block += count)
        {
            bool free = true;
            for (ulong i = 0; i < count && free; i++)
            {
                free = !used.Contains(block + i);
            }

            if (free)
            {
                return true;
            }
        }

        return false;
    }
}
