// Building the control domain from the boot modules.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Loading;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Domain0;

/// <summary>Loads the kernel, lays out the domain's memory and prepares its first vcpu.</summary>
internal static class Domain0Builder
{
    /// <summary>Builds Domain 0 or stops the boot with a sentence that says why it cannot be built.</summary>
    internal static void Build()
    {
        BootModules.RequireKernel();
        ref BootModule kernelModule = ref BootModules.Kernel;
        Mfn scratch = Mfn.Invalid;
        ReadOnlySpan<byte> file = Unpack(ref kernelModule, out scratch);
        LoadError error = Elf64.TryOpen(file, out Elf64 elf);
        XenNotes notes = default;
        error = error == LoadError.None ? XenNotes.TryRead(in elf, out notes) : error;
        error = error == LoadError.None ? KernelLoader.TryMeasure(in elf, in notes, out _, out _) : error;
        StopOn(error);

        BootMemory.GiveToAllocator();
        if (DomainCreation.TryCreate(DomainIds.Domain0) != XenError.None)
        {
            BootFailure.Stop("too little memory for Domain 0's tables; give the machine more RAM"u8);
        }

        ref Domain domain = ref DomainTable.At(DomainIds.Domain0);
        domain.IsPrivileged = true;
        Populate(ref domain, in elf, in notes, scratch);
    }

    private static ReadOnlySpan<byte> Unpack(ref BootModule module, out Mfn scratch)
    {
        scratch = Mfn.Invalid;
        StopOn(KernelUnpacker.TryInspect(module.Contents, out ReadOnlySpan<byte> payload, out uint unpackedBytes));
        if (unpackedBytes == 0)
        {
            return payload;
        }

        ulong frames = ((ulong)unpackedBytes + 4095) >> 12;
        if (!BootMemory.TryFind(frames, out scratch, out _))
        {
            StopOn(LoadError.TooBig);
        }

        BootMemory.Take(scratch, frames);
        ulong start = SystemTime.Now();
        Span<byte> output = PhysicalMemory.Range(scratch.Address, (int)unpackedBytes);
        StopOn(KernelUnpacker.Unpack(payload, output));
        Log.Line("boot"u8).Text("kernel unpacked, "u8).Decimal((ulong)payload.Length >> 10).Text(" KiB to "u8).Decimal((ulong)unpackedBytes >> 10).Text(" KiB in "u8)
            .Decimal((SystemTime.Now() - start) / 1_000_000).Text(" ms"u8).End();
        return output;
    }

    private static void StopOn(LoadError error)
    {
        if (error != LoadError.None)
        {
            BootFailure.Stop("the kernel of Domain 0 (the first boot module) cannot be used: "u8, LoadErrorText.For(error));
        }
    }

    private static void Populate(ref Domain domain, in Elf64 elf, in XenNotes notes, Mfn scratch)
    {
        bool hasRamDisk = BootModules.HasRamDisk;
        ulong ramDiskBytes = hasRamDisk ? (ulong)BootModules.RamDisk.Bytes : 0;
        ulong scratchFrames = scratch.IsValid ? ((ulong)elf.File.Length + 4095) >> 12 : 0;
        ulong kernelFrames = BootModules.Kernel.Frames;
        ulong ramDiskFrames = hasRamDisk ? BootModules.RamDisk.Frames : 0;

        // What the loader's copies occupy now becomes free, or a part of the domain, while it is built.
        ulong available = FrameAllocator.FreeFrames + scratchFrames + kernelFrames + ramDiskFrames;
        ulong pages = Domain0Memory.Choose(available);
        domain.Memory.MaximumPages = ulong.MaxValue;
        KernelLoader.TryMeasure(in elf, in notes, out ulong start, out ulong end);
        StopOn(InitialLayout.TryMake(in notes, start, end, pages, ramDiskBytes, out InitialLayout layout));
        if (layout.End > pages || !DomainPages.TryCreate(ref domain, pages, out DomainPages memory))
        {
            Log.Line("boot"u8).Text("Domain 0 would have "u8).Decimal(pages >> 8).Text(" MiB; its kernel, RAM disk and tables need "u8)
                .Decimal((layout.End >> 8) + 1).Text(" MiB"u8).End();
            BootFailure.Stop("too little memory for Domain 0; raise dom0_mem or give the machine more RAM"u8);
            return;
        }

        Reserve reserve = Reserve.Take();
        bool filled = FillRegion(ref domain, ref memory, in layout);
        if (filled)
        {
            KernelLoader.Load(in elf, in notes, in layout, ref memory);
            FreeModule(scratch, scratchFrames);
            FreeModule(BootModules.Kernel.Start.Frame, kernelFrames);
            filled = AddRamDisk(ref domain, ref memory, in layout, hasRamDisk) && FillRest(ref domain, ref memory, in layout, pages);
        }

        reserve.GiveBack();
        if (!filled)
        {
            BootFailure.Stop("too little memory for Domain 0; lower dom0_mem or give the machine more RAM"u8);
        }

        domain.Memory.MaximumPages = Domain0Memory.Maximum(pages);
        ReportMemory(ref domain);
        StartOfDay.Prepare(ref domain, ref memory, in layout, in notes, ramDiskBytes);
        Log.Line("dom0"u8).Text("memory "u8).Decimal(pages >> 8).Text(" MiB ("u8).Decimal(FrameAllocator.FreeFrames >> 8).Text(" MiB left free), kernel "u8)
            .Decimal((layout.KernelEnd - layout.KernelStart) << 2).Text(" KiB, RAM disk "u8).Decimal(ramDiskBytes >> 10).Text(" KiB, vcpus "u8)
            .Decimal((ulong)domain.VcpuCount).End();
    }

    /// <summary>What is neither Domain 0's nor free for it to take later.</summary>
    private static void ReportMemory(ref Domain domain)
    {
        ulong own = BootMemory.AllRamFrames - domain.Memory.TotalPages - FrameAllocator.FreeFrames;
        Log.Line("mm"u8).Text("of "u8).Decimal(BootMemory.AllRamFrames << 2).Text(" KiB of RAM, Domain 0 cannot have "u8).Decimal(own << 2).Text(" KiB ("u8)
            .Decimal(own * 1000 / BootMemory.AllRamFrames).Text(" per mille)"u8).End();
    }

    /// <summary>The pages of the initial region; a p2m list inside it uses the list's own frames.</summary>
    private static bool FillRegion(ref Domain domain, ref DomainPages memory, in InitialLayout layout)
    {
        if (!layout.IsP2mApart)
        {
            if (!memory.TryFill(ref domain, layout.P2m))
            {
                return false;
            }

            memory.Append(memory.List, layout.P2mPages);
        }

        return memory.TryFill(ref domain, layout.RegionPages);
    }

    /// <summary>A RAM disk that need not be mapped keeps the frames that the loader put it into, if it begins at a frame's start.</summary>
    private static bool AddRamDisk(ref Domain domain, ref DomainPages memory, in InitialLayout layout, bool hasRamDisk)
    {
        if (!hasRamDisk)
        {
            return true;
        }

        ref BootModule module = ref BootModules.RamDisk;
        Mfn first = module.Start.Frame;
        if (!layout.IsRamDiskMapped && module.Start.Offset == 0)
        {
            for (ulong i = 0; i < layout.RamDiskPages; i++)
            {
                DomainFrames.Adopt(ref domain, first.Add(i));
            }

            memory.Append(first, layout.RamDiskPages);
            return true;
        }

        if (!memory.TryFill(ref domain, layout.RamDisk + layout.RamDiskPages))
        {
            return false;
        }

        PageWriter writer = new(ref memory, layout.RamDisk);
        writer.Write(module.Contents);
        FreeModule(first, module.Frames);
        return true;
    }

    private static bool FillRest(ref Domain domain, ref DomainPages memory, in InitialLayout layout, ulong pages)
    {
        if (layout.IsP2mApart)
        {
            memory.Append(memory.List, layout.P2mPages);
        }

        return memory.TryFill(ref domain, pages);
    }

    private static void FreeModule(Mfn first, ulong frames)
    {
        if (first.IsValid && frames != 0)
        {
            FrameAllocator.AddRange(first, frames);
        }
    }
}
