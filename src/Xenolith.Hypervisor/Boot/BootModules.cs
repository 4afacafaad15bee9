// Which boot module is for what.
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Options;

namespace Xenolith.Hypervisor.Boot;

/// <summary>
/// The first module is Domain 0's kernel and the second its RAM disk. Modules whose options hold domain=NAME or ramdisk-of=NAME are for
/// further domains and do not count; the options end at the word "--".
/// </summary>
internal static class BootModules
{
    private const int None = -1;

    private static int s_kernel = None;
    private static int s_ramDisk = None;

    internal static ref BootModule Kernel => ref BootInformation.ModuleAt(s_kernel);

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
            if (TryFindName(BootModule.Text(ref module), "domain="u8, out ReadOnlySpan<byte> name))
            {
                Log.Warning("boot"u8).Text("domain '"u8).Text(name).Text("' is not started: this version starts no domain but Domain 0 at boot"u8).End();
            }
            else if (TryFindName(BootModule.Text(ref module), "ramdisk-of="u8, out name))
            {
                Log.Warning("boot"u8).Text("RAM disk of domain '"u8).Text(name).Text("' is not used"u8).End();
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

        Log.Line("boot"u8).Text("modules "u8).Decimal((ulong)BootInformation.ModuleCount).Text(", together "u8).Decimal(bytes >> 10).Text(" KiB"u8).End();
        if (BootInformation.ModulesLeftOut != 0)
        {
            Log.Warning("boot"u8).Text("modules not used because there are too many: "u8).Decimal((ulong)BootInformation.ModulesLeftOut).End();
        }
    }

    /// <summary>Stops the boot when there is no kernel for Domain 0.</summary>
    internal static void RequireKernel()
    {
        if (s_kernel == None)
        {
            BootFailure.Stop(BootInformation.ModuleCount == 0
                ? "there is no boot module; name a Linux kernel as the first one (QEMU: -initrd \"vmlinuz OPTIONS,initrd\"; GRUB: module)"u8
                : "no boot module is Domain 0's kernel; name a Linux kernel as the first one, without domain= or ramdisk-of="u8);
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
