// The domains beside Domain 0 that boot modules ask for.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Boot.Building;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Options;

namespace Xenolith.Hypervisor.Boot.Guests;

/// <summary>One request per module with domain=NAME; its RAM disk is the module with ramdisk-of=NAME, wherever that stands.</summary>
internal static class GuestRequests
{
    private const int None = -1;

    /// <summary>Frames that the hypervisor needs for a domain and for a vcpu, at most.</summary>
    private const ulong FramesPerDomain = 24;
    private const ulong FramesPerVcpu = 4;

    private static Slots s_requests;

    internal static int Count { get; private set; }

    /// <summary>Frames of all modules that are free when all is built.</summary>
    internal static ulong ModuleFrames { get; private set; }

    /// <summary>Frames that all domains asked for need.</summary>
    internal static ulong NeededFrames { get; private set; }

    /// <summary>Frames of modules and unpacked kernels that stay, for domains that may be built again.</summary>
    internal static ulong KeptFrames { get; private set; }

    internal static ref BootModule Kernel(int request) => ref BootInformation.ModuleAt(s_requests[request].Kernel);

    internal static bool HasRamDisk(int request) => s_requests[request].RamDisk != None;

    /// <summary>Only when it has one.</summary>
    internal static ref BootModule RamDisk(int request) => ref BootInformation.ModuleAt(s_requests[request].RamDisk);

    /// <summary>The kernel of a request that may be built again; it stays for ever.</summary>
    internal static ref KernelImage Kept(int request) => ref s_requests[request].Kept;

    /// <summary>What the request's module says; it has been read before, so it is right.</summary>
    internal static GuestOptions Options(int request)
    {
        GuestOptions.TryParse(Kernel(request).Text, out GuestOptions options, out _, out _);
        return options;
    }

    /// <summary>Frames of one domain of the request, the hypervisor's own included.</summary>
    internal static ulong FramesOf(scoped in GuestOptions options) => options.Pages + FramesPerDomain + ((ulong)options.Vcpus * FramesPerVcpu);

    /// <summary>Notes the module as a domain's kernel, or says why it is not used.</summary>
    internal static void AddKernel(int module, ReadOnlySpan<byte> name)
    {
        if (!GuestOptions.TryParse(BootInformation.ModuleAt(module).Text, out GuestOptions options, out ReadOnlySpan<byte> word, out ReadOnlySpan<byte> expected))
        {
            Log line = Log.Warning("boot"u8).Text("domain '"u8).Text(name).Text("' is not started: '"u8).Text(word);
            if (expected.IsEmpty)
            {
                line.Text("' is no option of a domain (memory= vcpus= count= weight= cap= on_poweroff= on_reboot= on_crash=)"u8).End();
            }
            else
            {
                line.Text("' cannot be used: it takes "u8).Text(expected).End();
            }

            return;
        }

        if (Find(name) != None)
        {
            Log.Warning("boot"u8).Text("domain '"u8).Text(name).Text("' is not started: another module has that name already"u8).End();
            return;
        }

        s_requests[Count++] = new Request { Kernel = module, RamDisk = None };
        ModuleFrames += BootInformation.ModuleAt(module).Frames;
        NeededFrames += (ulong)options.Instances * FramesOf(in options);
    }

    /// <summary>Notes the module as the RAM disk of a request, or says why it is not used; after all kernels.</summary>
    internal static void AddRamDisk(int module, ReadOnlySpan<byte> name)
    {
        int request = Find(name);
        if (request == None || s_requests[request].RamDisk != None)
        {
            Log.Warning("boot"u8).Text("RAM disk of domain '"u8).Text(name)
                .Text(request == None ? "' is not used: no module is the kernel of such a domain"u8 : "' is not used: the domain has another RAM disk already"u8).End();
            return;
        }

        s_requests[request].RamDisk = module;
        ModuleFrames += BootInformation.ModuleAt(module).Frames;
    }

    /// <summary>Keeps the memory of the modules from being handed out.</summary>
    internal static void TakeModules()
    {
        for (int request = 0; request < Count; request++)
        {
            BootMemory.Take(Kernel(request).Start.Frame, Kernel(request).Frames);
            if (HasRamDisk(request))
            {
                BootMemory.Take(RamDisk(request).Start.Frame, RamDisk(request).Frames);
            }
        }
    }

    /// <summary>
    /// The request may be built again: its RAM disk stays, and its unpacked kernel, or the module that needs no unpacking, unless another
    /// request's stays.
    /// </summary>
    internal static void Keep(int request, bool ownsKernel)
    {
        ulong unpacked = KernelImage.FramesOf(in Kernel(request));
        bool keepsModule = ownsKernel && unpacked == 0;
        ulong modules = (keepsModule ? Kernel(request).Frames : 0) + (HasRamDisk(request) ? RamDisk(request).Frames : 0);
        s_requests[request].KeepsKernelModule = keepsModule;
        ModuleFrames -= modules;
        NeededFrames += ownsKernel ? unpacked : 0;
        KeptFrames += modules + (ownsKernel ? unpacked : 0);
    }

    internal static bool MayRestart(int request) => Options(request).MayRestart;

    /// <summary>Gives the modules that nobody needs any more to the allocator.</summary>
    internal static void FreeModules()
    {
        for (int request = 0; request < Count; request++)
        {
            if (!s_requests[request].KeepsKernelModule)
            {
                FrameAllocator.AddRange(Kernel(request).Start.Frame, Kernel(request).Frames);
            }

            if (HasRamDisk(request) && !MayRestart(request))
            {
                FrameAllocator.AddRange(RamDisk(request).Start.Frame, RamDisk(request).Frames);
            }
        }
    }

    private static int Find(ReadOnlySpan<byte> name)
    {
        for (int request = 0; request < Count; request++)
        {
            if (Options(request).Name.SequenceEqual(name))
            {
                return request;
            }
        }

        return None;
    }

    private struct Request
    {
        internal KernelImage Kept;
        internal bool KeepsKernelModule;
        internal int Kernel;
        internal int RamDisk;
    }

    [InlineArray(BootInformation.MaximumModules)]
    private struct Slots
    {
        private Request _first;
    }
}
