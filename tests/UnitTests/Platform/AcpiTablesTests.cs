// The firmware's tables, sound and damaged.
using System.Buffers.Binary;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Platform;

public sealed class AcpiTablesTests
{
    private const int Pointer = 0xE_0040;
    private const int Root = 0x100_0000;
    private const int Madt = 0x100_1000;
    private const int Fadt = 0x100_2000;
    private const int Hpet = 0x100_3000;
    private const int Mcfg = 0x100_4000;
    private const int Dsdt = 0x100_5000;

    private static readonly int[] s_tables = [Root, Madt, Fadt, Hpet, Mcfg, Dsdt];

    [Fact]
    public void ReadsSoundTables()
    {
        Build();
        Assert.True(AcpiTables.TryParse());
        Assert.Equal(0xFED0_0000UL, PlatformInfo.HpetAddress);
        Assert.Equal(0xB000_0000UL, PlatformInfo.EcamAddress);
        Assert.Equal((ushort)0x608, PlatformInfo.PmTimerPort);
        Assert.Equal((ushort)0x604, PowerPorts.Pm1A);
        Assert.True(Xenolith.Hypervisor.Platform.Madt.TryGetIsaLine(9, out bool isLevel, out bool isActiveLow));
        Assert.True(isLevel && isActiveLow);
    }

    [Fact]
    public void MissesARootPointer()
    {
        FakeMachine.Reset(32);
        Assert.False(AcpiTables.TryParse());
        Assert.Equal(AcpiProblem.NoRootPointer, AcpiTables.Problem);
    }

    [Fact]
    public void MissesAMadt()
    {
        Build();
        Bytes(Madt, 1)[0] ^= 1;
        Assert.False(AcpiTables.TryParse());
        Assert.Equal(AcpiProblem.NoMadt, AcpiTables.Problem);
    }

    /// <summary>A table of any length from its header's on: whatever it lacks is not read from beyond it.</summary>
    [Fact]
    public void SurvivesEveryShorterTable()
    {
        foreach (int table in s_tables)
        {
            Build();
            int whole = BinaryPrimitives.ReadInt32LittleEndian(Bytes(table + 4, 4));
            for (int length = 0; length <= whole; length++)
            {
                Build();
                BinaryPrimitives.WriteInt32LittleEndian(Bytes(table + 4, 4), length);
                Seal(table, Math.Max(length, 10));
                AcpiTables.TryParse();
            }
        }
    }

    /// <summary>Random damage with the checksums made right again, addresses and lengths among it.</summary>
    [Fact]
    public void SurvivesRandomDamage()
    {
        Random random = new(31);
        ulong[] addresses = [0, 1, 0xE_0000, 0xFFF_F000, 0x1FF_FFFF, 0x200_0000, 0xFFFF_FFFF, 0xFFFF_FFDC, ulong.MaxValue, Root, Dsdt];
        Build();
        for (int round = 0; round < 20_000; round++)
        {
            if (round % 50 == 0)
            {
                Build();
            }

            int table = s_tables[random.Next(s_tables.Length)];
            int length = Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(Bytes(table + 4, 4)), 36, 200);
            switch (random.Next(4))
            {
                case 0: BinaryPrimitives.WriteInt32LittleEndian(Bytes(table + 4, 4), random.Next(4) == 0 ? random.Next() : random.Next(200)); break;
                case 1: BinaryPrimitives.WriteUInt64LittleEndian(Bytes(table + random.Next(36, 120), 8), addresses[random.Next(addresses.Length)]); break;
                default: Bytes(table + random.Next(36, length + 1), 1)[0] = (byte)random.Next(256); break;
            }

            Seal(table, Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(Bytes(table + 4, 4)), 10, 0x1000));
            AcpiTables.TryParse();
        }
    }

    private static Span<byte> Bytes(int address, int length) => PhysicalMemory.Range(new MachineAddress((ulong)address), length);

    private static void Build()
    {
        FakeMachine.Reset(32);
        "RSD PTR "u8.CopyTo(Bytes(Pointer, 8));
        Bytes(Pointer + 15, 1)[0] = 2;
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Pointer + 20, 4), 36);
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Pointer + 24, 4), Root);
        SumAt(Pointer, 20, 8);
        SumAt(Pointer, 36, 32);
        Table(Root, "XSDT"u8, 36 + (4 * 8));
        int[] named = [Madt, Fadt, Hpet, Mcfg];
        for (int i = 0; i < named.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(Bytes(Root + 36 + (i * 8), 4), named[i]);
        }

        Table(Madt, "APIC"u8, 44 + 8 + 12 + 10);
        ReadOnlySpan<byte> entries =
        [
            0, 8, 0, 0, 1, 0, 0, 0,
            1, 12, 1, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0,
            2, 10, 0, 9, 9, 0, 0, 0, 0xF, 0,
        ];
        entries.CopyTo(Bytes(Madt + 44, entries.Length));
        Table(Fadt, "FACP"u8, 132);
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Fadt + 40, 4), Dsdt);
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Fadt + 64, 4), 0x604);
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Fadt + 76, 4), 0x608);
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(Fadt + 112, 4), 1 << 10);
        Bytes(Fadt + 116, 1)[0] = 1;
        Table(Hpet, "HPET"u8, 56);
        BinaryPrimitives.WriteUInt64LittleEndian(Bytes(Hpet + 44, 8), 0xFED0_0000);
        Table(Mcfg, "MCFG"u8, 60);
        BinaryPrimitives.WriteUInt64LittleEndian(Bytes(Mcfg + 44, 8), 0xB000_0000);
        Table(Dsdt, "DSDT"u8, 36 + 20);
        ReadOnlySpan<byte> code = [0x08, (byte)'_', (byte)'S', (byte)'5', (byte)'_', 0x12, 0x06, 0x04, 0x0A, 5, 0x0A, 5, 0, 0];
        code.CopyTo(Bytes(Dsdt + 36, code.Length));
        foreach (int table in s_tables)
        {
            Seal(table, BinaryPrimitives.ReadInt32LittleEndian(Bytes(table + 4, 4)));
        }
    }

    private static void Table(int address, ReadOnlySpan<byte> signature, int length)
    {
        signature.CopyTo(Bytes(address, 4));
        BinaryPrimitives.WriteInt32LittleEndian(Bytes(address + 4, 4), length);
    }

    private static void Seal(int address, int length) => SumAt(address, length, 9);

    private static void SumAt(int address, int length, int at)
    {
        Span<byte> bytes = Bytes(address, length);
        bytes[at] = 0;
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        bytes[at] = (byte)-sum;
    }
}
