// What a new domain finds when it starts: tables, start_info, registers.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Loading;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Building;

/// <summary>The state of a domain's first moment (public xen.h, struct start_info).</summary>
internal static class StartOfDay
{
    private const ulong TickNanoseconds = 10_000_000;
    private const int TextModeInfoBytes = 0x28;

    internal static void Prepare(ref Domain domain, ref DomainPages pages, in InitialLayout layout, in XenNotes notes, in DomainRecipe recipe)
    {
        Mfn root = BuildTables(ref pages, in layout);
        WriteStartInfo(ref domain, ref pages, in layout, in recipe, notes.HasPaeMode);
        for (int id = 0; id < recipe.Vcpus; id++)
        {
            Fatal.Assert(DomainCreation.TryAddVcpu(ref domain) == XenError.None, "no memory for the vcpus of a domain"u8);
        }

        StartFirstVcpu(ref domain, in layout, notes.Entry, root);
        domain.State = DomainState.Running;
    }

    private static Mfn BuildTables(ref DomainPages pages, in InitialLayout layout)
    {
        InitialPageTables tables = new(ref pages, layout.PageTables);
        ulong tablesEnd = layout.PageTables + layout.PageTableCount;
        for (ulong page = 0; page < layout.RegionPages; page++)
        {
            tables.Map(layout.AddressOf(page), page, page < layout.PageTables || page >= tablesEnd);
        }

        Fatal.Assert(tables.NextTable <= tablesEnd, "the initial page tables are larger than was counted"u8);
        if (layout.IsP2mApart)
        {
            tables.TakeTablesFrom(layout.P2m + layout.P2mPages);
            for (ulong i = 0; i < layout.P2mPages; i++)
            {
                tables.Map(layout.P2mAddress + (i << 12), layout.P2m + i, true);
            }
        }

        return tables.Root;
    }

    private static void WriteStartInfo(ref Domain domain, ref DomainPages pages, in InitialLayout layout, in DomainRecipe recipe, bool hasPaeMode)
    {
        Mfn page = pages[layout.StartInfo];
        PhysicalMemory.Clear(page);
        Span<byte> bytes = PhysicalMemory.Bytes(page);
        (hasPaeMode ? "xen-3.0-x86_64p"u8 : "xen-3.0-x86_64"u8).CopyTo(bytes);
        SetWord(page, StartInfoLayout.PageCount, pages.Count);
        SetWord(page, StartInfoLayout.SharedInfo, domain.SharedInfo.Address.Value);
        uint flags = domain.IsPrivileged ? StartInfoLayout.Privileged | StartInfoLayout.InitialDomain : 0;
        if (recipe.RamDiskBytes != 0)
        {
            flags |= layout.IsRamDiskMapped ? 0 : StartInfoLayout.ModuleStartIsPfn;
            SetWord(page, StartInfoLayout.ModuleStart, layout.IsRamDiskMapped ? layout.AddressOf(layout.RamDisk) : layout.RamDisk);
            SetWord(page, StartInfoLayout.ModuleBytes, recipe.RamDiskBytes);
        }

        PhysicalMemory.Word32(page, StartInfoLayout.Flags) = flags;
        if (domain.IsPrivileged)
        {
            PhysicalMemory.Word32(page, StartInfoLayout.ConsoleInfoOffset) = StartInfoLayout.Bytes;
            PhysicalMemory.Word32(page, StartInfoLayout.ConsoleInfoBytes) = TextModeInfoBytes;
            WriteTextModeInfo(page);
        }
        else
        {
            SetWord(page, StartInfoLayout.ConsoleMfn, pages[layout.Console].Value);
            PhysicalMemory.Word32(page, StartInfoLayout.ConsoleEventChannel) = recipe.ConsolePort;
        }

        SetWord(page, StartInfoLayout.PageTableBase, layout.AddressOf(layout.PageTables));
        SetWord(page, StartInfoLayout.PageTableFrames, layout.PageTableCount);
        SetWord(page, StartInfoLayout.MfnList, layout.P2mAddress);
        if (layout.IsP2mApart)
        {
            SetWord(page, StartInfoLayout.FirstP2mPfn, layout.P2m);
            SetWord(page, StartInfoLayout.P2mFrameCount, layout.P2mPages + layout.P2mTables);
        }

        ReadOnlySpan<byte> line = recipe.CommandLine;
        line.Slice(0, Math.Min(line.Length, StartInfoLayout.CommandLineBytes - 1)).CopyTo(bytes.Slice(StartInfoLayout.CommandLine));
    }

    /// <summary>struct dom0_vga_console_info: the 80 by 25 text mode that firmware starts in.</summary>
    private static void WriteTextModeInfo(Mfn page)
    {
        Span<byte> info = PhysicalMemory.Bytes(page).Slice(StartInfoLayout.Bytes, TextModeInfoBytes);
        info[0] = 3;
        info[4] = 16;
        info[10] = 25;
        info[12] = 80;
    }

    private static void SetWord(Mfn page, int offset, ulong value) => PhysicalMemory.Word(page, offset / 8) = value;

    private static void StartFirstVcpu(ref Domain domain, in InitialLayout layout, ulong entry, Mfn root)
    {
        ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(0));
        Preemption never = Preemption.Never;
        XenError pinned = PageTypes.TryTake(ref domain, root, PageType.L4, ref never);
        FrameTable.At(root).IsPinned = pinned == XenError.None;
        XenError used = PageTypes.TryTake(ref domain, root, PageType.L4, ref never);
        Fatal.Assert(pinned == XenError.None && used == XenError.None, "the initial page tables break the rules for page tables"u8);
        ref VcpuContext context = ref vcpu.Context;
        context.KernelRoot = root.Address.Value;
        context.InKernel = 1;
        context.Registers.Rip = entry;
        context.Registers.Cs = AsmOffsets.FlatCode64;
        context.Registers.Rflags = RflagsBits.InterruptEnable | RflagsBits.Fixed;
        context.Registers.Rsp = layout.AddressOf(layout.Stack + 1);
        context.Registers.Ss = AsmOffsets.FlatStack;
        context.Registers.Rsi = layout.AddressOf(layout.StartInfo);
        vcpu.Time.PeriodicInterval = TickNanoseconds;
        vcpu.Time.PeriodicNext = SystemTime.Now() + TickNanoseconds;
        Timers.Update(ref vcpu);
        vcpu.IsInitialized = true;
    }
}
