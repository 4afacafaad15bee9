// Will this machine do for Xenolith?
using System.Globalization;

namespace Xeno.Doctor;

/// <summary>Looks at a Debian machine, before it starts on the hypervisor or when it runs on it.</summary>
/// <param name="root">The root directory; tests have another.</param>
internal sealed class Examination(string root = "/")
{
    private const long LeastMebibytes = 1000;
    private const int MostProcessors = 64;

    private static readonly string[] s_features = ["lm", "nx", "syscall", "fxsr", "sse2", "pae", "apic"];

    private static readonly (string Program, string Package, string For)[] s_programs =
    [
        ("ip", "iproute2", "network interfaces of domains"),
        ("nft", "nftables", "the rules of network interfaces"),
        ("dnsmasq", "dnsmasq-base", "the addresses of guests"),
        ("qemu-nbd", "qemu-utils", "disks in the format qcow2"),
        ("modprobe", "kmod", "drivers of Domain 0's kernel"),
    ];

    private bool IsOnHypervisor => Text("sys/hypervisor/type").Trim() == "xen";

    /// <summary>All that was found.</summary>
    internal IEnumerable<Finding> Findings() => IsOnHypervisor ? [Hypervisor(), .. Devices(), .. Programs()] : [Hypervisor(), Processor(), Processors(), Memory(), Firmware(), .. Start(), .. Programs()];

    private static Finding Fine(string text) => new(Severity.Fine, text);

    private static Finding Problem(string text) => new(Severity.Problem, text);

    private static Finding Warning(string text) => new(Severity.Warning, text);

    private Finding Hypervisor()
    {
        if (!IsOnHypervisor)
        {
            return Fine("this kernel runs on the machine itself: what follows is whether it could run on Xenolith");
        }

        string version = $"{Text("sys/hypervisor/version/major").Trim()}.{Text("sys/hypervisor/version/minor").Trim()}{Text("sys/hypervisor/version/extra").Trim()}";
        return Text("proc/xen/capabilities").Contains("control_d", StringComparison.Ordinal) || !Exists("proc/xen/capabilities")
            ? Fine($"this is Domain 0 on the hypervisor {version}")
            : Problem($"this is an ordinary domain on the hypervisor {version}: domains are controlled from Domain 0 only");
    }

    private Finding Processor()
    {
        string[] flags = Text("proc/cpuinfo").Split('\n').FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal))?.Split(' ') ?? [];
        string[] missing = [.. s_features.Where(feature => !flags.Contains(feature))];
        return missing.Length == 0
            ? Fine("the processor has what is needed; hardware virtualization is not")
            : Problem($"the processor lacks {string.Join(", ", missing)}: Xenolith runs on x86-64 processors with these; choose a machine or a processor model that has them");
    }

    private Finding Processors()
    {
        int count = Text("proc/cpuinfo").Split('\n').Count(line => line.StartsWith("processor", StringComparison.Ordinal));
        return count <= MostProcessors
            ? Fine(Invariant($"processors: {count}"))
            : Warning(Invariant($"of {count} processors the first {MostProcessors} are used"));
    }

    private Finding Memory()
    {
        string line = Text("proc/meminfo").Split('\n').FirstOrDefault(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)) ?? "";
        long mebibytes = long.TryParse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries).ElementAtOrDefault(1), NumberStyles.None, CultureInfo.InvariantCulture, out long kibibytes) ? kibibytes / 1024 : 0;
        return mebibytes >= LeastMebibytes
            ? Fine(Invariant($"memory: {mebibytes} MiB"))
            : Problem(Invariant($"memory: {mebibytes} MiB, and Domain 0 alone takes 640: give the machine {LeastMebibytes} or more"));
    }

    private Finding Firmware() => Exists("sys/firmware/efi")
        ? Problem("the machine has started by UEFI, and Xenolith starts by a BIOS (Multiboot 1): choose legacy boot in the machine's setup, if it has that")
        : Fine("the machine starts by a BIOS");

    private IEnumerable<Finding> Start()
    {
        if (!Exists("boot/xenolith/xenolith"))
        {
            yield return Problem("there is no /boot/xenolith/xenolith: install the package xenolith");
        }

        string[] kernels = [.. Names("boot", "vmlinuz-*").Select(name => name["vmlinuz-".Length..]).Where(version => Text($"boot/config-{version}").Split('\n').Contains("CONFIG_XEN_PV_DOM0=y"))];
        yield return kernels.Length > 0
            ? Fine($"kernels that can be Domain 0: {string.Join(", ", kernels)}")
            : Problem("no kernel in /boot can be Domain 0 (CONFIG_XEN_PV_DOM0): install Debian's linux-image-amd64");
        yield return Text("boot/grub/grub.cfg").Contains("/xenolith/xenolith", StringComparison.Ordinal)
            ? Fine("GRUB has an entry for it; 'grub-reboot xenolith' chooses it for the next start, GRUB_DEFAULT=xenolith in /etc/default/grub for all")
            : Problem("GRUB has no entry for it: run update-grub");
    }

    private IEnumerable<Finding> Devices()
    {
        foreach (string device in (string[])["privcmd", "evtchn", "gntdev"])
        {
            yield return Exists($"dev/xen/{device}") ? Fine($"/dev/xen/{device} is there") : Problem($"there is no /dev/xen/{device}: run 'modprobe xen-{device}' as root");
        }

        yield return Exists("run/xenolith/xenod.sock") ? Fine("the daemon xenod listens") : Problem("the daemon xenod does not run: 'systemctl start xenod' starts it, 'journalctl -u xenod' says why it does not");
    }

    private IEnumerable<Finding> Programs()
    {
        foreach ((string program, string package, string purpose) in s_programs)
        {
            if (!((string[])["usr/sbin", "usr/bin", "sbin", "bin"]).Any(directory => Exists($"{directory}/{program}")))
            {
                yield return Warning($"the program {program} is not there, which {purpose} need: install the package {package}");
            }
        }
    }

    private bool Exists(string path) => Path.Exists(Path.Combine(root, path));

    private string[] Names(string directory, string pattern)
    {
        string path = Path.Combine(root, directory);
        return Directory.Exists(path) ? [.. Directory.GetFiles(path, pattern).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)] : [];
    }

    /// <summary>What a file says; nothing where there is none, or where only root may read it.</summary>
    private string Text(string path)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, path));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
