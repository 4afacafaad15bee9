// Building the control domain from the boot modules.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Building;
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Loading;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Domain0;

/// <summary>
/// In two steps: its kernel is unpacked and its slot taken before other domains are built, and it gets its memory last, since it is the one
/// that takes what is left.
/// </summary>
internal static class Domain0Builder
{
    private static KernelImage s_kernel;
    private static ulong s_pages;

    /// <summary>Domain 0's kernel; nothing when the machine runs without Domain 0.</summary>
    internal static ref KernelImage Kernel => ref s_kernel;

    /// <summary>Unpacks the kernel, before the frame allocator has the memory, or stops the boot with a sentence that says why it cannot.</summary>
    internal static void Unpack()
    {
        StopOn(KernelImage.TryUnpack(in BootModules.Kernel, false, out s_kernel));
        LoadError error = s_kernel.TryOpen(out _, out XenNotes notes, out _, out _);
        StopOn(error != LoadError.None || notes.AllowsDomain0 ? error : LoadError.NotForDomain0);
    }

    /// <summary>Takes the slot and decides how many frames Domain 0 and its reserve get.</summary>
    internal static ulong Begin()
    {
        if (DomainCreation.TryCreate(DomainIds.Domain0) != XenError.None)
        {
            BootFailure.Stop("too little memory for Domain 0's tables; give the machine more RAM"u8);
        }

        DomainTable.At(DomainIds.Domain0).IsPrivileged = true;
        s_pages = Domain0Memory.Choose(FrameAllocator.FreeFrames + ReturnedFrames + GuestRequests.ModuleFrames, GuestRequests.NeededFrames);
        return s_pages + Reserve.Frames;
    }

    /// <summary>The unpacked kernel stays in memory: another domain has the same one and may be built again.</summary>
    internal static bool KeepsKernel { get; set; }

    /// <summary>What the loader's copies occupy becomes free, or a part of Domain 0, while it is built.</summary>
    internal static ulong ReturnedFrames
        => (KeepsKernel ? 0 : s_kernel.OwnFrames) + (KeepsModule ? 0 : BootModules.Kernel.Frames) + (BootModules.HasRamDisk ? BootModules.RamDisk.Frames : 0);

    private static bool KeepsModule => KeepsKernel && s_kernel.OwnFrames == 0;

    /// <summary>Builds Domain 0 or stops the boot.</summary>
    internal static void Build()
    {
        ref Domain domain = ref DomainTable.At(DomainIds.Domain0);
        ulong pages = BootOptions.Domain0Memory.IsGiven ? s_pages : Domain0Memory.Choose(FrameAllocator.FreeFrames + ReturnedFrames, 0);
        bool hasRamDisk = BootModules.HasRamDisk;
        ulong ramDiskBytes = hasRamDisk ? (ulong)BootModules.RamDisk.Bytes : 0;
        domain.Memory.MaximumPages = ulong.MaxValue;
        StopOn(s_kernel.TryOpen(out Elf64 elf, out XenNotes notes, out ulong start, out ulong end));
        StopOn(InitialLayout.TryMake(in notes, start, end, pages, ramDiskBytes, InitialRings.None, out InitialLayout layout));
        if (layout.End > pages || !DomainPages.TryCreate(ref domain, pages, out DomainPages memory))
        {
            Log.Line("boot"u8).Text("Domain 0 would have "u8).Decimal(pages >> 8).Text(" MiB; its kernel, RAM disk and tables need "u8)
                .Decimal((layout.End >> 8) + 1).Text(" MiB"u8).End();
            BootFailure.Stop("too little memory for Domain 0; raise dom0_mem or give the machine more RAM"u8);
            return;
        }

        Reserve reserve = Reserve.Take();
        bool filled = memory.TryFillRegion(ref domain, in layout);
        if (filled)
        {
            KernelLoader.Load(in elf, in notes, in layout, ref memory);
            FreeKernel();
            filled = AddRamDisk(ref domain, ref memory, in layout, hasRamDisk) && memory.TryFillRest(ref domain, in layout, pages);
        }

        reserve.GiveBack();
        if (!filled)
        {
            BootFailure.Stop("too little memory for Domain 0; lower dom0_mem or give the machine more RAM"u8);
        }

        domain.Memory.MaximumPages = Domain0Memory.Maximum(pages);
        ReportMemory(ref domain);
        StartOfDay.Prepare(ref domain, ref memory, in layout, in notes, new DomainRecipe
        {
            CommandLine = BootModules.Kernel.Text,
            RamDiskBytes = ramDiskBytes,
            Vcpus = BootOptions.Domain0Vcpus == 0 ? DefaultVcpus(ProcessorTable.Count) : (int)BootOptions.Domain0Vcpus,
        });
        Log.Line("dom0"u8).Text("memory "u8).Decimal(pages >> 8).Text(" MiB ("u8).Decimal(FrameAllocator.FreeFrames >> 8).Text(" MiB left free), kernel "u8)
            .Decimal((layout.KernelEnd - layout.KernelStart) << 2).Text(" KiB, RAM disk "u8).Decimal(ramDiskBytes >> 10).Text(" KiB, vcpus "u8)
            .Decimal((ulong)domain.VcpuCount).End();
    }

    /// <summary>A vcpu for each processor, as far as a domain can have so many.</summary>
    internal static int DefaultVcpus(int processors) => Math.Min(processors, Domain.MaximumVcpus);

    private static void StopOn(LoadError error)
    {
        if (error != LoadError.None)
        {
            BootFailure.Stop("the kernel of Domain 0 (the first boot module) cannot be used: "u8, LoadErrorText.For(error));
        }
    }

    /// <summary>What is neither Domain 0's nor free for it to take later.</summary>
    private static void ReportMemory(ref Domain domain)
    {
        ulong own = BootMemory.AllRamFrames - domain.Memory.TotalPages - GuestBuilder.BuiltPages - FrameAllocator.FreeFrames;
        Log.Line("mm"u8).Text("of "u8).Decimal(BootMemory.AllRamFrames << 2).Text(" KiB of RAM, Domain 0 cannot have "u8).Decimal(own << 2).Text(" KiB ("u8)
            .Decimal(own * 1000 / BootMemory.AllRamFrames).Text(" per mille)"u8).End();
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
        FreeModule(ref module);
        return true;
    }

    private static void FreeKernel()
    {
        if (!KeepsModule)
        {
            FreeModule(ref BootModules.Kernel);
        }

        if (!KeepsKernel)
        {
            s_kernel.Free();
        }
    }

    private static void FreeModule(ref BootModule module) => FrameAllocator.AddRange(module.Start.Frame, module.Frames);
}
