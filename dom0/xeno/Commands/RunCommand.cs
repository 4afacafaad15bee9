// xeno run.
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xeno.Running;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>Runs an image or a directory as a guest at this terminal, and leaves nothing of it afterwards.</summary>
internal static class RunCommand
{
    private const int UsualMemory = 512;
    private const int LeastMemory = 64;
    private const int LeftFree = 16;
    private const string Scratch = "/var/tmp";

    private static readonly Argument<string> s_image = new("image") { Description = "a disk image (raw or qcow2), a block device, or a directory with a root file system" };

    private static readonly Option<string?> s_name = new("--name", "-n") { Description = "the domain's name; default: made of the image's" };

    private static readonly Option<int?> s_memory = new("--memory", "-m") { Description = $"MiB of memory; default: {UsualMemory}, or what is free" };

    private static readonly Option<int> s_vcpus = new("--vcpus", "-c") { Description = "virtual processors", DefaultValueFactory = _ => 1 };

    private static readonly Option<string?> s_kernel = new("--kernel", "-k") { Description = "a kernel of Domain 0's; default: the image's own, else the newest in /boot" };

    private static readonly Option<string?> s_ramDisk = new("--ramdisk", "-r") { Description = "the RAM disk that goes with --kernel" };

    private static readonly Option<string> s_extra = new("--extra", "-e") { Description = "further words for the kernel", DefaultValueFactory = _ => "" };

    private static readonly Option<bool> s_keep = new("--keep") { Description = "let the guest write to the image itself" };

    private static readonly Option<bool> s_offline = new("--no-network") { Description = "without a network interface" };

    internal static Command Make()
    {
        Command command = new("run", "Runs an image as a throw-away guest at this terminal; what it changes is gone afterwards. Ctrl-] ends it.")
        {
            s_image, s_name, s_memory, s_vcpus, s_kernel, s_ramDisk, s_extra, s_keep, s_offline,
        };
        Daemon.Run(command, RunAsync);
        return command;
    }

    private static async Task RunAsync(DaemonClient daemon, ParseResult parsed, CancellationToken cancellation)
    {
        MachineView machine = await daemon.GetMachineAsync(cancellation);
        string image = parsed.GetRequiredValue(s_image);
        await using ThrowAwayDisk disk = await Output.WaitAsync("preparing the disk", ThrowAwayDisk.MakeAsync(image, parsed.GetValue(s_keep), Scratch, cancellation));
        JsonObject settings = new()
        {
            ["name"] = parsed.GetValue(s_name) ?? NameFor(image, (await daemon.ListAsync(cancellation)).Select(domain => domain.Name).ToHashSet()),
            ["memory"] = parsed.GetValue(s_memory) ?? MemoryOf(machine),
            ["vcpus"] = parsed.GetValue(s_vcpus),
            ["disk"] = new JsonArray(disk.Specification),
        };
        if (!parsed.GetValue(s_offline))
        {
            settings["vif"] = new JsonArray("");
        }

        await ChooseKernelAsync(settings, disk, machine, parsed, cancellation);
        string domain = Guid.NewGuid().ToString("D");
        await Output.WaitAsync("making the domain", daemon.CreateAsync(Guid.Parse(domain), JsonSerializer.SerializeToElement(settings, OutputJson.Default.JsonObject), isPaused: false, cancellation));
        try
        {
            await ConsoleCommand.AttachAsync(daemon, domain, isFromBoot: true, cancellation);
        }
        finally
        {
            await EndAsync(daemon, domain);
        }
    }

    /// <summary>A domain that has ended by itself is gone already.</summary>
    private static async Task EndAsync(DaemonClient daemon, string domain)
    {
        try
        {
            await daemon.DestroyAsync(domain, CancellationToken.None);
        }
        catch (DaemonException exception) when (exception.Status == System.Net.HttpStatusCode.NotFound)
        {
        }
    }

    private static async Task ChooseKernelAsync(JsonObject settings, ThrowAwayDisk disk, MachineView machine, ParseResult parsed, CancellationToken cancellation)
    {
        string extra = parsed.GetRequiredValue(s_extra);
        if (parsed.GetValue(s_kernel) is { } kernel)
        {
            Set(settings, Path.GetFullPath(kernel), parsed.GetValue(s_ramDisk) is { } ramDisk ? Path.GetFullPath(ramDisk) : null, $"root=/dev/xvda ro {extra}");
            return;
        }

        if (disk.Raw is null)
        {
            settings["bootloader"] = "pygrub";
            settings["extra"] = extra;
            return;
        }

        try
        {
            BootFiles files = await BootDisk.ExtractAsync(disk.Raw, new BootFileStore(), cancellation);
            Set(settings, files.Kernel, files.RamDisk, $"{(files.CommandLine.Length == 0 ? "root=/dev/xvda ro" : files.CommandLine)} {extra}");
        }
        catch (BootDiskException) when (machine.Kernels.Count != 0)
        {
            // It has no kernel: Domain 0's will do for its userland.
            Set(settings, machine.Kernels[0].Path, machine.Kernels[0].RamDisk, $"root=/dev/xvda ro {extra}");
        }
    }

    private static void Set(JsonObject settings, string kernel, string? ramDisk, string words)
    {
        settings["kernel"] = kernel;
        settings["extra"] = words.Trim();
        if (ramDisk is not null)
        {
            settings["ramdisk"] = ramDisk;
        }
    }

    private static int MemoryOf(MachineView machine)
    {
        long free = (machine.FreeKiB / 1024) - LeftFree;
        return free >= LeastMemory ? (int)Math.Min(free, UsualMemory) : LeastMemory;
    }

    /// <summary>The image's name, with a number where that is taken.</summary>
    internal static string NameFor(string image, IReadOnlySet<string> taken)
    {
        string plain = new([.. Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(image))).Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.')]);
        string name = plain.Length == 0 || plain.All(char.IsAsciiDigit) ? $"run-{plain}".TrimEnd('-') : plain;
        return Enumerable.Range(1, int.MaxValue).Select(number => number == 1 ? name : $"{name}-{number}").First(candidate => !taken.Contains(candidate));
    }
}
