// Making the firmware's memory map sound.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor.Platform;

namespace Xenolith.UnitTests.Platform;

public sealed class MachineMemoryMapTests
{
    [Fact]
    public void SortsAndKeepsASoundMap()
    {
        Load((0x10_0000, 0x3FE0_0000, 1), (0, 0x9_F000, 1), (0xFFFC_0000, 0x4_0000, 2));
        Assert.Equal([(0UL, 0x9_F000UL, 1u), (0x10_0000UL, 0x3FE0_0000UL, 1u), (0xFFFC_0000UL, 0x4_0000UL, 2u)], Map());
    }

    [Fact]
    public void CutsRamToWholeFrames()
    {
        Load((0x800, 0x9_F400, 1), (0x10_0001, 0xFFE, 1));
        Assert.Equal([(0x1000UL, 0x9_E000UL, 1u)], Map());
    }

    [Fact]
    public void LetsTheLessUsableKindWinAnOverlap()
    {
        Load((0, 0x10_0000, 1), (0x8000, 0x4000, 2), (0xA000, 0x1000, 5), (0x9000, 0x1000, 1));
        Assert.Equal(
            [(0UL, 0x8000UL, 1u), (0x8000UL, 0x2000UL, 2u), (0xA000UL, 0x1000UL, 5u), (0xB000UL, 0x1000UL, 2u), (0xC000UL, 0xF_4000UL, 1u)], Map());
    }

    [Fact]
    public void AgreesWithAModelForRandomMaps()
    {
        Random random = new(29);
        for (int round = 0; round < 2000; round++)
        {
            const int Frames = 64;
            uint[] model = new uint[Frames];
            List<(ulong, ulong, uint)> ranges = [];
            for (int i = random.Next(1, 12); i > 0; i--)
            {
                int start = random.Next(Frames);
                int count = random.Next(1, Frames - start + 1);
                uint kind = (uint)random.Next(1, 6);
                ranges.Add(((ulong)start << 12, (ulong)count << 12, kind));
                for (int frame = start; frame < start + count; frame++)
                {
                    model[frame] = Math.Max(model[frame], kind);
                }
            }

            Load([.. ranges]);
            uint[] found = new uint[Frames];
            ulong end = 0;
            foreach ((ulong start, ulong bytes, uint kind) in Map())
            {
                Assert.True(start >= end, "not sorted, or overlapping");
                end = start + bytes;
                for (ulong frame = start >> 12; frame < end >> 12; frame++)
                {
                    found[frame] = kind;
                }
            }

            Assert.Equal(model, found);
        }
    }

    [Fact]
    public void SaysWhenThereAreTooManyRanges()
    {
        MachineMemoryMap.Clear();
        bool fits = true;
        for (ulong i = 0; i <= MachineMemoryMap.Capacity; i++)
        {
            fits = MachineMemoryMap.TryAdd(i << 20, 4096, E820Entry.Ram);
        }

        Assert.False(fits);
    }

    [Fact]
    public void SurvivesRangesThatWrap()
    {
        Load((ulong.MaxValue - 100, 1000, 2), (0x1000, ulong.MaxValue, 1));
        Assert.NotEmpty(Map());
    }

    private static void Load(params (ulong Start, ulong Bytes, uint Kind)[] ranges)
    {
        MachineMemoryMap.Clear();
        foreach ((ulong start, ulong bytes, uint kind) in ranges)
        {
            Assert.True(MachineMemoryMap.TryAdd(start, bytes, kind));
        }

        MachineMemoryMap.Normalize();
    }

    private static List<(ulong Start, ulong Bytes, uint Kind)> Map()
    {
        List<(ulong, ulong, uint)> map = [];
        for (int i = 0; i < MachineMemoryMap.Count; i++)
        {
            E820Entry entry = MachineMemoryMap.EntryAt(i);
            map.Add((entry.Address, entry.Bytes, entry.Type));
        }

        return map;
    }
}
