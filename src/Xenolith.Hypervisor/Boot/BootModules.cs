// Which boot module is for what.
using Xenolith.Hypervisor.Boot.Guests;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Options;

namespace Xenolith.Hypervisor.Boot;

/// <summary>
/// The first module is Domain 0's kernel and the second its RAM disk. Modules whose options hold domain=NAME or ramdisk-of=NAME belong to
/// further domains and do not count; the options end at the word "--".
/// </summary>
internal static class BootModules
{
    private const int None = -1;

    private static int s_kernel = None;
    private static int s_ramDisk = None;

    internal static ref BootModule Kernel => ref BootInformation.ModuleAt(s_kernel);

    internal static bool HasKernel => s_kernel != None;

    internal static bool HasRamDisk => s_ramDisk != None;

    /// <summary>Domain 0's RAM disk; only when it has one.</summary>
    internal static ref BootModule RamDisk => ref BootInformation.ModuleAt(s_ramDisk);

    /// <summary>Gives each module its part, and names those that have none.</summary>
    internal static void Assign()
    {
        ulong bytes = 0;
        for (int i = 0; i < BootInformation.ModuleCount; i++)
        {
            ref BootModule module = ref BootInformation.ModuleAt(i);
            bytes += (ulong)module.Bytes;
            if (TryFindName(module.Text, "domain="u8, out ReadOnlySpan<byte> name))
            {
                GuestRequests.AddKernel(i, name);
            }
            else if (TryFindName(module.Text, "ramdisk-of="u8, out _))
            {
                // When all kernels are known.
            }
            else if (s_kernel == None)
            {
                s_kernel = i;
            }
            else if (s_ramDisk == None)
            {
                s_ramDisk = i;
            }
            else
            {
                Log.Warning("boot"u8).Text("module "u8).Decimal((ulong)i + 1).Text(" is not used: Domain 0 has its kernel and its RAM disk"u8).End();
            }
        }

        AssignRamDisks();
        Log.Line("boot"u8).Text("modules "u8).Decimal((ulong)BootInformation.ModuleCount).Text(", together "u8).Decimal(bytes >> 10).Text(" KiB"u8).End();
        if (BootInformation.ModulesLeftOut != 0)
        {
            Log.Warning("boot"u8).Text("modules not used because there are too many: "u8).Decimal((ulong)BootInformation.ModulesLeftOut).End();
        }
    }

    /// <summary>Stops the boot when there is nothing to start.</summary>
    internal static void RequireKernel()
    {
        if (s_kernel == None && GuestRequests.Count == 0)
        {
            BootFailure.Stop(BootInformation.ModuleCount == 0
                ? "there is no boot module; name a Linux kernel as the first one (QEMU: -initrd \"vmlinuz OPTIONS,initrd\"; GRUB: module)"u8
                : "no boot module is the kernel of a domain; name a Linux kernel as the first one"u8);
        }
    }

    /// <summary>Keeps the memory of the modules in use from being handed out.</summary>
    internal static void Take()
    {
        if (s_kernel != None)
        {
            BootMemory.Take(Kernel.Start.Frame, Kernel.Frames);
        }

        if (HasRamDisk)
        {
            BootMemory.Take(RamDisk.Start.Frame, RamDisk.Frames);
        }

        GuestRequests.TakeModules();
    }

    private static void AssignRamDisks()
    {
        for (int i = 0; i < BootInformation.ModuleCount; i++)
        {
            ReadOnlySpan<byte> text = BootInformation.ModuleAt(i).Text;
            if (!TryFindName(text, "domain="u8, out _) && TryFindName(text, "ramdisk-of="u8, out ReadOnlySpan<byte> name))
            {
                GuestRequests.AddRamDisk(i, name);
            }
        }
    }

    private static bool TryFindName(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix, out ReadOnlySpan<byte> name)
    {
        while (Words.TryNext(ref text, out ReadOnlySpan<byte> word) && !word.SequenceEqual("--"u8))
        {
            if (word.StartsWith(prefix))
            {
                name = word.Slice(prefix.Length);
                return true;
            }
        }

        name = default;
        return false;
    }
}
