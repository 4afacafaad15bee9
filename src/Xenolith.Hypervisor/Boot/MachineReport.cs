// What the machine has, said once at boot.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot;

/// <summary>One fact per line, so that all of it fits on a screen.</summary>
internal static class MachineReport
{
    private const int MaximumRanges = 12;
    private const int BrandBytes = 48;

    /// <summary>The memory map, made sound.</summary>
    internal static void Memory()
    {
        int shown = Math.Min(MachineMemoryMap.Count, MaximumRanges);
        for (int i = 0; i < shown; i++)
        {
            E820Entry entry = MachineMemoryMap.EntryAt(i);
            Log.Line("e820"u8).Hex(entry.Address, 10).Text(" to "u8).Hex(entry.Address + entry.Bytes - 1, 10).Text(", "u8).Decimal((entry.Bytes + 1023) >> 10)
                .Text(" KiB "u8).Text(Kind(entry.Type)).End();
        }

        if (shown < MachineMemoryMap.Count)
        {
            Log.Line("e820"u8).Text("and "u8).Decimal((ulong)(MachineMemoryMap.Count - shown)).Text(" ranges more"u8).End();
        }
    }

    /// <summary>The firmware's tables, and what they told.</summary>
    internal static void Tables()
    {
        Log.Line("acpi"u8).Text("RSDP at "u8).Hex(AcpiTables.RootPointer).Text(", MADT"u8).Text(PlatformInfo.HasFadt ? ", FADT"u8 : ", no FADT"u8)
            .Text(PlatformInfo.HpetAddress != 0 ? ", HPET"u8 : ", no HPET"u8).Text(PlatformInfo.EcamAddress != 0 ? ", MCFG"u8 : ", no MCFG"u8).End();
        if (PlatformInfo.EcamAddress != 0)
        {
            Log.Line("pci"u8).Text("configuration space in memory at "u8).Hex(PlatformInfo.EcamAddress).Text(", buses "u8)
                .Decimal((ulong)PlatformInfo.EcamFirstBus).Text(" to "u8).Decimal((ulong)PlatformInfo.EcamLastBus).End();
        }
    }

    /// <summary>The processor's name, what is switched on, and what stays off although it is there.</summary>
    internal static void Processor()
    {
        Brand brand = default;
        Span<byte> name = brand;
        uint signature = CpuId.Query(1).Eax;
        uint family = (signature >> 8) & 0xF;
        uint model = (signature >> 4) & 0xF;
        model |= family is 6 or 15 ? (signature >> 12) & 0xF0 : 0;
        family += family == 15 ? (signature >> 20) & 0xFF : 0;
        Log.Line("cpu"u8).Text(BrandName(name)).Text(", family "u8).Decimal((ulong)family).Text(" model "u8).Decimal((ulong)model).Text(" stepping "u8)
            .Decimal((ulong)signature & 0xF).Text(", physical addresses of "u8).Decimal((ulong)CpuFeatures.PhysicalAddressBits).Text(" bits"u8).End();
        Log.Line("cpu"u8).Text("in use: NX"u8).Text(Protection.IsSmepOn ? " SMEP"u8 : ""u8).Text(Protection.IsSmapOn ? " SMAP"u8 : ""u8)
            .Text(Protection.ArePagesGlobal ? " PGE"u8 : ""u8).Text(CpuFeatures.HasFsGsBase ? " FSGSBASE"u8 : ""u8)
            .Text(CpuFeatures.HasXsaveOptimized ? " XSAVEOPT"u8 : CpuFeatures.HasXsave ? " XSAVE"u8 : " FXSAVE"u8)
            .Text(CpuFeatures.HasRdtscp ? " RDTSCP"u8 : ""u8).Text("; not in use:"u8)
            .Text(CpuFeatures.HasSmep && !Protection.IsSmepOn ? " SMEP"u8 : ""u8).Text(CpuFeatures.HasSmap && !Protection.IsSmapOn ? " SMAP"u8 : ""u8)
            .Text(CpuFeatures.HasPge && !Protection.ArePagesGlobal ? " PGE"u8 : ""u8).Text(CpuFeatures.HasPcid ? " PCID"u8 : ""u8).End();
        if (CpuFeatures.HasSmap && CpuFeatures.IsTcg)
        {
            Log.Line("cpu"u8).Text("SMAP stays off: QEMU's translator checks the stack of a guest's IRETQ as if the hypervisor read it"u8).End();
        }
    }

    /// <summary>How many processors came up.</summary>
    internal static void Processors()
        => Log.Line("cpu"u8).Text("processors "u8).Decimal((ulong)Madt.ProcessorCount).Text(", in use "u8).Decimal((ulong)ProcessorTable.Count).End();

    /// <summary>Interrupt controllers.</summary>
    internal static void Interrupts()
        => Log.Line("irq"u8).Text(LocalApic.IsX2Apic ? "local APIC in x2APIC mode, at "u8 : "local APIC at "u8).Hex(LocalApic.Address.Value).Text(", IO-APICs "u8).Decimal((ulong)IoApic.Count).Text(" with "u8)
            .Decimal((ulong)IoApic.LineCount).Text(" lines"u8).End();

    private static ReadOnlySpan<byte> Kind(uint type) => type switch
    {
        E820Entry.Ram => "RAM"u8,
        E820Entry.Acpi => "ACPI tables"u8,
        E820Entry.Nvs => "ACPI memory"u8,
        E820Entry.Unusable => "unusable"u8,
        _ => "reserved"u8,
    };

    /// <summary>The brand string of CPUID 0x80000002 to 0x80000004, without what is not printable and the spaces around it.</summary>
    private static ReadOnlySpan<byte> BrandName(Span<byte> name)
    {
        const uint FirstLeaf = 0x8000_0002;
        const uint LastLeaf = 0x8000_0004;
        if (CpuId.Query(0x8000_0000).Eax < LastLeaf)
        {
            return "a processor without a name"u8;
        }

        int at = 0;
        for (uint leaf = FirstLeaf; leaf <= LastLeaf; leaf++)
        {
            CpuIdResult part = CpuId.Query(leaf);
            at = Put(name, Put(name, Put(name, Put(name, at, part.Eax), part.Ebx), part.Ecx), part.Edx);
        }

        int end = name.IndexOf((byte)0);
        end = end < 0 ? name.Length : end;
        int start = 0;
        while (start < end && name[start] == (byte)' ')
        {
            start++;
        }

        while (end > start && name[end - 1] == (byte)' ')
        {
            end--;
        }

        return name.Slice(start, end - start);
    }

    private static int Put(Span<byte> name, int at, uint word)
    {
        for (int i = 0; i < 4; i++)
        {
            byte value = (byte)(word >> (i * 8));
            name[at++] = value is 0 or (>= 0x20 and < 0x7F) ? value : (byte)'?';
        }

        return at;
    }

    [InlineArray(BrandBytes)]
    private struct Brand
    {
        private byte _first;
    }
}
