// Building the domains that boot modules ask for.
using Xenolith.Abi;
using Xenolith.Hypervisor.Boot.Building;
using Xenolith.Hypervisor.Boot.Domain0;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Loading;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Guests;

/// <summary>
/// Unprivileged domains with a console ring that the hypervisor serves, and nothing else. What cannot be built is reported by name and
/// left out. Modules with the same contents are unpacked once.
/// </summary>
internal static class GuestBuilder
{
    private const int None = -1;

    // The kernel that was unpacked last; nothing while it is Domain 0's.
    private static KernelImage s_kernel;
    private static int s_unpacked = None;

    /// <summary>Domains that were built.</summary>
    internal static int Built { get; private set; }

    /// <summary>Pages of all domains that were built.</summary>
    internal static ulong BuiltPages { get; private set; }

    /// <summary>Decides which modules and kernels stay in memory, since some end of a domain has it built again.</summary>
    internal static void PlanRestarts()
    {
        for (int request = 0; request < GuestRequests.Count; request++)
        {
            if (GuestRequests.MayRestart(request))
            {
                bool isDomain0s = HasDomain0sKernel(request);
                Domain0Builder.KeepsKernel |= isDomain0s;
                GuestRequests.Keep(request, !isDomain0s && FindSame(request, false) == None);
            }
        }

        ulong frames = GuestRequests.KeptFrames + (Domain0Builder.KeepsKernel ? Domain0Builder.Kernel.OwnFrames : 0);
        if (frames != 0)
        {
            Log.Line("boot"u8).Text("kernels and RAM disks that stay for domains that may restart: "u8).Decimal(frames >> 8).Text(" MiB"u8).End();
        }
    }

    /// <summary>Builds all. So many frames have to be there in the end, and so many more than now will be.</summary>
    internal static void BuildAll(ulong keptFrames, ulong returnedFrames)
    {
        returnedFrames += GuestRequests.ModuleFrames;
        for (int request = 0; request < GuestRequests.Count; request++)
        {
            GuestOptions options = GuestRequests.Options(request);
            LoadError error = TryGetKernel(request, out KernelImage kernel);
            if (error != LoadError.None)
            {
                NotStarted(options.Name, 0).Text("its kernel cannot be used: "u8).Text(LoadErrorText.For(error)).End();
                continue;
            }

            GuestRequests.Kept(request) = options.MayRestart ? kernel : default;
            ulong returned = returnedFrames + (IsLastKept ? 0 : s_kernel.OwnFrames);
            ulong kept = keptFrames > returned ? keptFrames - returned : 0;
            for (int number = 1; number <= options.Instances && TryBuild(request, in options, options.Count == 0 ? 0 : number, in kernel, kept, out _); number++)
            {
                Built++;
                BuiltPages += options.Pages;
            }
        }

        FreeLast();
        GuestRequests.FreeModules();
    }

    /// <summary>Builds a domain of a request that has kept its kernel, when another one has ended. What prevents it is said.</summary>
    internal static bool TryBuildAgain(int request, int number, out ushort id)
    {
        GuestOptions options = GuestRequests.Options(request);
        return TryBuild(request, in options, number, in GuestRequests.Kept(request), FrameAllocator.StakedFrames, out id);
    }

    private static bool IsLastKept => s_unpacked != None && GuestRequests.Kept(s_unpacked).Exists;

    private static bool HasDomain0sKernel(int request)
        => Domain0Builder.Kernel.Exists && GuestRequests.Kernel(request).Contents.SequenceEqual(BootModules.Kernel.Contents);

    /// <summary>An earlier request with the same kernel whose domains may be built again; with <paramref name="isBuilt"/> only if its kernel is there.</summary>
    private static int FindSame(int request, bool isBuilt)
    {
        for (int other = 0; other < request; other++)
        {
            if (GuestRequests.MayRestart(other) && (!isBuilt || GuestRequests.Kept(other).Exists)
                && GuestRequests.Kernel(request).Contents.SequenceEqual(GuestRequests.Kernel(other).Contents))
            {
                return other;
            }
        }

        return None;
    }

    /// <summary>The request's kernel, unpacked: Domain 0's or an earlier one when the modules are the same.</summary>
    private static LoadError TryGetKernel(int request, out KernelImage kernel)
    {
        ref BootModule module = ref GuestRequests.Kernel(request);
        if (HasDomain0sKernel(request))
        {
            kernel = Domain0Builder.Kernel;
            return LoadError.None;
        }

        int same = FindSame(request, true);
        if (same != None)
        {
            kernel = GuestRequests.Kept(same);
            return LoadError.None;
        }

        LoadError error = LoadError.None;
        if (s_unpacked == None || !module.Contents.SequenceEqual(GuestRequests.Kernel(s_unpacked).Contents))
        {
            FreeLast();
            error = KernelImage.TryUnpack(in module, true, out s_kernel);
            s_unpacked = error == LoadError.None ? request : None;
        }

        kernel = s_kernel;
        return error;
    }

    private static void FreeLast()
    {
        if (!IsLastKept)
        {
            s_kernel.Free();
        }

        s_kernel = default;
        s_unpacked = None;
    }

    /// <summary>False: neither this domain nor a further one of the request can be built; the reason has been said.</summary>
    private static bool TryBuild(int request, in GuestOptions options, int number, in KernelImage kernel, ulong kept, out ushort id)
    {
        id = 0;
        ulong begin = SystemTime.Now();
        ulong ramDiskBytes = GuestRequests.HasRamDisk(request) ? (ulong)GuestRequests.RamDisk(request).Bytes : 0;
        LoadError error = kernel.TryOpen(out Elf64 elf, out XenNotes notes, out ulong start, out ulong end);
        InitialLayout layout = default;
        error = error == LoadError.None ? InitialLayout.TryMake(in notes, start, end, options.Pages, ramDiskBytes, InitialRings.Console, out layout) : error;
        if (error != LoadError.None)
        {
            NotStarted(options.Name, number).Text("its kernel cannot be used: "u8).Text(LoadErrorText.For(error)).End();
            return false;
        }

        if (layout.End > options.Pages)
        {
            NotStarted(options.Name, number).Text("memory="u8).Decimal(options.Megabytes).Text(" is too little; its kernel, RAM disk and tables need "u8)
                .Decimal((layout.End >> 8) + 1).Text(" MiB"u8).End();
            return false;
        }

        if (DomainConsoles.HasName(options.Name, number))
        {
            NotStarted(options.Name, number).Text("another domain has that name already"u8).End();
            return false;
        }

        ulong needed = GuestRequests.FramesOf(in options);
        if (FrameAllocator.FreeFrames < needed || FrameAllocator.FreeFrames - needed < kept)
        {
            NotStarted(options.Name, number).Text("it needs "u8).Decimal(needed >> 8).Text(" MiB, and only "u8)
                .Decimal(FrameAllocator.FreeFrames > kept ? (FrameAllocator.FreeFrames - kept) >> 8 : 0).Text(" MiB are left for it"u8).End();
            return false;
        }

        if (DomainCreation.TryCreate(out id) != XenError.None)
        {
            NotStarted(options.Name, number).Text("there are as many domains as there can be"u8).End();
            return false;
        }

        ref Domain domain = ref DomainTable.At(id);
        domain.Memory.MaximumPages = options.Pages;
        Fatal.Assert(SchedulerParameters.TrySet(ref domain, (uint)options.Weight, (uint)options.Cap) == XenError.None, "a weight was checked wrongly"u8);
        if (!DomainPages.TryCreate(ref domain, options.Pages, out DomainPages pages))
        {
            NotStarted(options.Name, number).Text("free memory is in too small pieces"u8).End();
            DomainReaper.Request(ref domain);
            return false;
        }

        domain.Boot = new BootOrigin
        {
            Exists = true,
            Request = request,
            Number = number,
            StartedAt = begin,
            OnPowerOff = options.OnPowerOff,
            OnReboot = options.OnReboot,
            OnCrash = options.OnCrash,
        };
        pages.IsCleared = true;
        Fill(ref domain, ref pages, in layout, options.Pages, in elf, in notes, request);
        uint port = DomainConsoles.Open(ref domain, pages[layout.Console], options.Name, number);
        StartOfDay.Prepare(ref domain, ref pages, in layout, in notes, new DomainRecipe
        {
            CommandLine = options.CommandLine,
            RamDiskBytes = ramDiskBytes,
            Vcpus = options.Vcpus,
            ConsolePort = port,
        });
        Log.Line("boot"u8).Text("domain '"u8).Text(DomainConsoles.NameOf(ref domain)).Text("': d"u8).Decimal((ulong)id).Text(", memory "u8).Decimal(options.Megabytes)
            .Text(" MiB, vcpus "u8).Decimal((ulong)options.Vcpus).Text(", built in "u8).Decimal((SystemTime.Now() - begin) / 1_000_000).Text(" ms"u8).End();
        return true;
    }

    /// <summary>Kernel, RAM disk and all other pages; the frames have been counted before.</summary>
    private static void Fill(ref Domain domain, ref DomainPages pages, in InitialLayout layout, ulong count, in Elf64 elf, in XenNotes notes, int request)
    {
        bool filled = pages.TryFillRegion(ref domain, in layout);
        KernelLoader.Load(in elf, in notes, in layout, ref pages);
        if (GuestRequests.HasRamDisk(request))
        {
            filled &= layout.IsRamDiskMapped || pages.TryFill(ref domain, layout.RamDisk + layout.RamDiskPages);
            PageWriter writer = new(ref pages, layout.RamDisk);
            writer.Write(GuestRequests.RamDisk(request).Contents);
        }

        Fatal.Assert(filled && pages.TryFillRest(ref domain, in layout, count), "the frames of a domain were counted wrongly"u8);
    }

    private static Log NotStarted(ReadOnlySpan<byte> name, int number)
    {
        Log line = Log.Warning("boot"u8).Text("domain '"u8).Text(name);
        return (number == 0 ? line : line.Decimal((ulong)number)).Text("' is not started: "u8);
    }
}
