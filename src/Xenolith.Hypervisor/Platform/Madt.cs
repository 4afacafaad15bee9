// The interrupt controllers, as the firmware lists them.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Multiple APIC Description Table (ACPI 6.4, 5.2.12): processors, IO-APICs and how ISA interrupts are wired.</summary>
internal static class Madt
{
    private const int FirstEntry = 44;
    private const int IsaLines = 16;
    private const int MaximumIoApics = 8;

    private static IoApicEntries s_ioApics;
    private static Overrides s_overrides;
    private static Processors s_processors;

    internal static int ProcessorCount { get; private set; }

    internal static int IoApicCount { get; private set; }

    internal static void Parse(ReadOnlySpan<byte> table)
    {
        ProcessorCount = 0;
        IoApicCount = 0;
        for (int isa = 0; isa < IsaLines; isa++)
        {
            s_overrides[isa] = new IsaLine { Line = (uint)isa };
        }

        int length;
        for (int at = FirstEntry; at + 2 <= table.Length; at += length)
        {
            length = table[at + 1];
            if (length < 2 || at + length > table.Length)
            {
                return;
            }

            ParseEntry(table.Slice(at, length));
        }
    }

    /// <summary>The processor listed at <paramref name="index"/>.</summary>
    internal static ProcessorEntry ProcessorAt(int index) => s_processors[index];

    /// <summary>The IO-APIC listed at <paramref name="index"/>.</summary>
    internal static IoApicEntry IoApicAt(int index) => s_ioApics[index];

    /// <summary>Trigger and polarity of a line that is an ISA interrupt; false for other lines.</summary>
    internal static bool TryGetIsaLine(uint line, out bool isLevel, out bool isActiveLow)
    {
        for (int isa = 0; isa < IsaLines; isa++)
        {
            if (s_overrides[isa].Line == line)
            {
                isLevel = s_overrides[isa].IsLevel;
                isActiveLow = s_overrides[isa].IsActiveLow;
                return true;
            }
        }

        isLevel = false;
        isActiveLow = false;
        return false;
    }

    private static void ParseEntry(ReadOnlySpan<byte> entry)
    {
        switch (entry[0])
        {
            case 0 when entry.Length >= 8 && (Bytes.U32(entry, 4) & 1) != 0:
            case 9 when entry.Length >= 16 && (Bytes.U32(entry, 8) & 1) != 0:
                Add(entry);
                break;
            case 1 when entry.Length >= 12 && IoApicCount < MaximumIoApics:
                s_ioApics[IoApicCount] = new IoApicEntry { Id = entry[2], Address = Bytes.U32(entry, 4), FirstLine = Bytes.U32(entry, 8) };
                IoApicCount++;
                break;
            case 2 when entry.Length >= 10 && entry[3] < IsaLines:
                uint flags = Bytes.U16(entry, 8);
                s_overrides[entry[3]] = new IsaLine { Line = Bytes.U32(entry, 4), IsActiveLow = (flags & 3) == 3, IsLevel = (flags & 0xC) == 0xC };
                break;
        }
    }

    /// <summary>A processor that is enabled: local APIC (type 0) or local x2APIC (type 9). Some firmware lists one as both.</summary>
    private static void Add(ReadOnlySpan<byte> entry)
    {
        ProcessorEntry processor = entry[0] == 0
            ? new ProcessorEntry { AcpiId = entry[2], ApicId = entry[3] }
            : new ProcessorEntry { AcpiId = Bytes.U32(entry, 12), ApicId = Bytes.U32(entry, 4) };
        for (int index = 0; index < ProcessorCount; index++)
        {
            if (s_processors[index].ApicId == processor.ApicId)
            {
                return;
            }
        }

        if (ProcessorCount < ProcessorTable.Capacity)
        {
            s_processors[ProcessorCount] = processor;
            ProcessorCount++;
        }
    }

    internal struct ProcessorEntry
    {
        internal uint AcpiId;
        internal uint ApicId;
    }

    internal struct IoApicEntry
    {
        internal uint Id;
        internal uint Address;
        internal uint FirstLine;
    }

    private struct IsaLine
    {
        internal uint Line;
        internal bool IsLevel;
        internal bool IsActiveLow;
    }

    [InlineArray(ProcessorTable.Capacity)]
    private struct Processors
    {
        private ProcessorEntry _first;
    }

    [InlineArray(MaximumIoApics)]
    private struct IoApicEntries
    {
        private IoApicEntry _first;
    }

    [InlineArray(IsaLines)]
    private struct Overrides
    {
        private IsaLine _first;
    }
}
