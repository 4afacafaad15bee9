// The firmware's list of processors, with identifiers of 8 and of 32 bits.
using System.Collections.Generic;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Platform;

public sealed class MadtTests
{
    private const uint Enabled = 1;
    private const uint OnlineCapable = 2;

    private readonly List<byte> _table = [.. new byte[44]];

    /// <summary>Entries of both types in any order; one that is in both ways listed counts once, one that is off not at all.</summary>
    [Fact]
    public void ListsProcessorsOfBothTypes()
    {
        Add(0, 0, Enabled);
        AddLong(300, 9, Enabled);
        Add(7, 3, Enabled);
        AddLong(7, 3, Enabled);
        Add(8, 4, 0);
        AddLong(256, 10, OnlineCapable);
        AddLong(255, 11, Enabled);
        AddLong(0x1234_5678, 0xFFFF_0001, Enabled);
        AddLong(0, 0, Enabled);
        Expect([(0, 0), (300, 9), (7, 3), (255, 11), (0x1234_5678, 0xFFFF_0001)]);
    }

    /// <summary>An entry that ends too early says nothing, and one that reaches beyond the table ends the list.</summary>
    [Fact]
    public void LeavesOutWhatIsCutOff()
    {
        _table.AddRange([9, 15, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        _table.AddRange([0, 7, 1, 1, 1, 0, 0]);
        AddLong(400, 1, Enabled);
        _table.AddRange([9, 16, 0, 0, 1, 2, 0, 0, 1, 0, 0, 0]);
        Expect([(400, 1)]);
    }

    /// <summary>A machine may have more processors than the hypervisor takes: the first ones count.</summary>
    [Fact]
    public void TakesAsManyAsThereIsRoomFor()
    {
        for (uint id = 0; id < 100; id++)
        {
            AddLong(id * 5, id, Enabled);
        }

        Madt.Parse(_table.ToArray());
        Assert.Equal(ProcessorTable.Capacity, Madt.ProcessorCount);
        Assert.Equal((ProcessorTable.Capacity - 1) * 5U, Madt.ProcessorAt(ProcessorTable.Capacity - 1).ApicId);
    }

    /// <summary>Without x2APIC, identifiers from 255 on cannot be reached: 255 is everybody.</summary>
    [Fact]
    public void ReachesLongIdentifiersOnlyByX2Apic()
    {
        TestDomain.ResetMachine();
        Assert.True(LocalApic.CanReach(254));
        Assert.Equal(LocalApic.IsX2Apic, LocalApic.CanReach(255));
        Assert.Equal(LocalApic.IsX2Apic, LocalApic.CanReach(300));
        Assert.False(LocalApic.CanReach(uint.MaxValue));
    }

    /// <summary>With it, registers are MSRs, and what is sent names all 32 bits of the receiver.</summary>
    [Fact]
    public void SendsByX2ApicToLongIdentifiers()
    {
        const uint FirstRegister = 0x800;
        FakeMachine.Reset(32);
        CpuIdResult features = FakeCpu.CpuIdLeaves[(1, 0)];
        features.Ecx |= 1 << 21;
        FakeCpu.CpuIdLeaves[(1, 0)] = features;
        CpuFeatures.Detect();
        for (uint register = 0; register < 0x40; register++)
        {
            FakeCpu.Msrs[FirstRegister + register] = 0;
        }

        FakeCpu.Msrs[FirstRegister + 2] = 0x1_0005;
        LocalApic.Initialize(0xFF, 0xFE);
        Assert.Equal(0xC00UL, FakeCpu.Msrs[(uint)Msr.ApicBase] & 0xC00);
        Assert.Equal(0x1FFUL, FakeCpu.Msrs[FirstRegister + 0xF]);
        Assert.Equal(0x1_0005U, LocalApic.Id);
        Assert.True(LocalApic.CanReach(300));
        LocalApic.SendInterrupt(300, 0x41);
        Assert.Equal((300UL << 32) | 0x41, FakeCpu.Msrs[FirstRegister + 0x30]);
        SecondaryProcessor.SendInit(0x1234_5678, default);
        Assert.Equal((0x1234_5678UL << 32) | 0x4500, FakeCpu.Msrs[FirstRegister + 0x30]);
        SecondaryProcessor.SendStartup(256, new Mfn(0x9F));
        Assert.Equal((256UL << 32) | 0x469F, FakeCpu.Msrs[FirstRegister + 0x30]);
        TestDomain.ResetMachine();
        Assert.False(LocalApic.IsX2Apic);
    }

    private void Add(byte apicId, byte acpiId, uint flags) => _table.AddRange([0, 8, acpiId, apicId, .. BitConverter.GetBytes(flags)]);

    private void AddLong(uint apicId, uint acpiId, uint flags)
        => _table.AddRange([9, 16, 0, 0, .. BitConverter.GetBytes(apicId), .. BitConverter.GetBytes(flags), .. BitConverter.GetBytes(acpiId)]);

    private void Expect((uint ApicId, uint AcpiId)[] processors)
    {
        Madt.Parse(_table.ToArray());
        Assert.Equal(processors.Length, Madt.ProcessorCount);
        for (int i = 0; i < processors.Length; i++)
        {
            Assert.Equal(processors[i], (Madt.ProcessorAt(i).ApicId, Madt.ProcessorAt(i).AcpiId));
        }
    }
}
