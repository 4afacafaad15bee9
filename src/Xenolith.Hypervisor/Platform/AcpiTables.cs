// What the firmware's ACPI tables say.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Finds and checks the tables (ACPI 6.4, section 5). Every length is checked against the table it stands in.</summary>
internal static class AcpiTables
{
    private const int HeaderBytes = 36;
    private const int MaximumTableBytes = 0x40_0000;
    private const ulong BiosStart = 0xE_0000;
    private const int BiosBytes = 0x2_0000;
    private const ulong EbdaPointer = 0x40E;
    private const ulong DirectLimit = 1UL << 32;

    /// <summary>Where the RSDP lies.</summary>
    internal static ulong RootPointer { get; private set; }

    /// <summary>Why <see cref="TryParse"/> failed.</summary>
    internal static AcpiProblem Problem { get; private set; }

    /// <summary>Reads MADT, FADT, HPET and MCFG. False when there is no RSDP, no sound root table or no MADT.</summary>
    internal static bool TryParse()
    {
        if (!TryFindRoot(out ulong root, out bool isWide))
        {
            Problem = AcpiProblem.NoRootPointer;
            return false;
        }

        if (!TryTable(root, out ReadOnlySpan<byte> rootTable))
        {
            Problem = AcpiProblem.BadRootTable;
            return false;
        }

        int entryBytes = isWide ? 8 : 4;
        bool hasMadt = false;
        for (int at = HeaderBytes; at + entryBytes <= rootTable.Length; at += entryBytes)
        {
            ulong address = isWide ? Bytes.U64(rootTable, at) : Bytes.U32(rootTable, at);
            if (!TryTable(address, out ReadOnlySpan<byte> table))
            {
                continue;
            }

            switch (Bytes.U32(table, 0))
            {
                case 0x43495041:
                    Madt.Parse(table);
                    hasMadt = true;
                    break;
                case 0x50434146: ParseFadt(table); break;
                case 0x54455048: ParseHpet(table); break;
                case 0x4746434D: ParseMcfg(table); break;
            }
        }

        Problem = hasMadt ? AcpiProblem.None : AcpiProblem.NoMadt;
        return hasMadt;
    }

    private static bool TryFindRoot(out ulong root, out bool isWide)
    {
        ulong ebda = (ulong)Bytes.U16(PhysicalMemory.Range(new MachineAddress(EbdaPointer), 2), 0) << 4;
        return (ebda >= 0x8_0000 && ebda < 0xA_0000 && TryScan(ebda, 1024, out root, out isWide))
            || TryScan(BiosStart, BiosBytes, out root, out isWide);
    }

    private static bool TryScan(ulong start, int bytes, out ulong root, out bool isWide)
    {
        ReadOnlySpan<byte> area = PhysicalMemory.Range(new MachineAddress(start), bytes);
        for (int at = 0; at + 36 <= bytes; at += 16)
        {
            ReadOnlySpan<byte> pointer = area.Slice(at, 36);
            if (!pointer.StartsWith("RSD PTR "u8) || !HasZeroSum(pointer.Slice(0, 20)))
            {
                continue;
            }

            RootPointer = start + (ulong)at;
            ulong extended = Bytes.U64(pointer, 24);
            isWide = pointer[15] >= 2 && extended != 0 && extended < DirectLimit && HasZeroSum(pointer);
            root = isWide ? extended : Bytes.U32(pointer, 16);
            return true;
        }

        root = 0;
        isWide = false;
        return false;
    }

    private static bool TryTable(ulong address, out ReadOnlySpan<byte> table)
    {
        table = default;
        if (address == 0 || address > DirectLimit - HeaderBytes)
        {
            return false;
        }

        // Corrupt firmware may name any address.
        if (!PhysicalMemory.TryRange(new MachineAddress(address), HeaderBytes, out Span<byte> header))
        {
            return false;
        }

        uint length = Bytes.U32(header, 4);
        if (length < HeaderBytes || length > MaximumTableBytes || address + length > DirectLimit)
        {
            return false;
        }

        bool exists = PhysicalMemory.TryRange(new MachineAddress(address), (int)length, out Span<byte> whole);
        table = whole;
        return exists && HasZeroSum(table);
    }

    private static bool HasZeroSum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += bytes[i];
        }

        return sum == 0;
    }

    private static void ParseFadt(ReadOnlySpan<byte> table)
    {
        const int ResetRegister = 116;
        const int ResetValue = 128;
        if (table.Length < 116)
        {
            return;
        }

        PlatformInfo.HasFadt = true;
        PowerPorts.Pm1A = (ushort)Bytes.U32(table, 64);
        PowerPorts.Pm1B = (ushort)Bytes.U32(table, 68);
        PlatformInfo.PmTimerPort = (ushort)Bytes.U32(table, 76);
        uint flags = Bytes.U32(table, 112);
        PlatformInfo.PmTimerIsWide = (flags & (1 << 8)) != 0;
        const uint ResetSupported = 1 << 10;
        if (table.Length > ResetValue && (flags & ResetSupported) != 0 && table[ResetRegister] == 1)
        {
            PowerPorts.ResetPort = (ushort)Bytes.U64(table, ResetRegister + 4);
            PowerPorts.ResetValue = table[ResetValue];
        }

        if (TryTable(Bytes.U32(table, 40), out ReadOnlySpan<byte> code))
        {
            PowerPorts.FindSleepType(code);
        }
    }

    private static void ParseHpet(ReadOnlySpan<byte> table)
    {
        if (table.Length >= 52 && table[40] == 0)
        {
            PlatformInfo.HpetAddress = Bytes.U64(table, 44);
        }
    }

    private static void ParseMcfg(ReadOnlySpan<byte> table)
    {
        // The first segment is enough: no machine in scope has two.
        if (table.Length >= 60)
        {
            PlatformInfo.EcamAddress = Bytes.U64(table, 44);
            PlatformInfo.EcamFirstBus = table[54];
            PlatformInfo.EcamLastBus = table[55];
        }
    }
}
