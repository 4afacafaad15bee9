// Makes a domain's configuration from an xl.cfg file.
using System.Globalization;

namespace Xenolith.Toolstack.Configuration;

/// <summary>Reads xl.cfg files as people have them for paravirtual guests of Xen.</summary>
public sealed class DomainConfigurationReader
{
    private const int LongestName = 128;
    private const int LongestCommandLine = 1023;
    private const int MostVcpus = 32;
    private const int MostMemory = 16 * 1024 * 1024;

    /// <summary>Keys whose wish can be left unheard without the guest being another; each with what is done instead.</summary>
    private static readonly Dictionary<string, string> s_ignored = new(StringComparer.Ordinal)
    {
        ["vfb"] = "the guest has its console only",
        ["vkb"] = "the guest has its console only",
        ["cpuid"] = "the guest sees the hypervisor's default",
        ["tsc_mode"] = "the guest reads the machine's clock itself",
        ["nomigrate"] = "domains stay on their machine",
        ["localtime"] = "the guest's clock is UTC",
        ["rtc_timeoffset"] = "the guest's clock is UTC",
        ["seclabel"] = "there are no security labels",
        ["pool"] = "there is one pool of processors",
        ["max_grant_version"] = "the hypervisor's default is used",
        ["on_soft_reset"] = "a soft reset is a reboot",
        ["autoballoon"] = "memory is taken from what is free",
        ["bootloader_args"] = "the boot loader is not run",
        ["msr_relaxed"] = "the hypervisor decides",
    };

    private static readonly string[] s_refused = ["pci", "channel", "usbctrl", "usbdev", "p9", "vtpm", "vdispl", "vsnd", "device_tree", "irqs", "ioports", "iomem", "vnuma"];

    private static readonly string[] s_known =
    [
        "name", "type", "builder", "uuid", "memory", "maxmem", "vcpus", "maxvcpus", "kernel", "ramdisk", "cmdline", "root", "extra", "bootloader", "disk", "vif",
        "cpus", "cpus_soft", "cpu_weight", "cap", "on_poweroff", "on_reboot", "on_crash", "on_watchdog", "max_event_channels", "max_grant_frames", "max_maptrack_frames",
        "driver_domain", "e820_host",
    ];

    private readonly XlDocument _document;
    private readonly List<string> _warnings;

    private DomainConfigurationReader(XlDocument document)
    {
        _document = document;
        _warnings = [.. document.Warnings];
    }

    /// <summary>Reads a file's text.</summary>
    /// <param name="text">The file's content; further lines of the same form may stand behind it.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <param name="warnings">What is odd, or not done here, without being wrong.</param>
    /// <exception cref="ConfigurationException">It is wrong, or asks for what would make the guest another without it.</exception>
    public static DomainConfiguration Read(string text, string source, out IReadOnlyList<string> warnings) => Read(XlDocument.Parse(text, source), out warnings);

    /// <summary>Reads a document.</summary>
    /// <param name="document">Keys and values as in a file.</param>
    /// <param name="warnings">What is odd, or not done here, without being wrong.</param>
    /// <exception cref="ConfigurationException">It is wrong, or asks for what would make the guest another without it.</exception>
    public static DomainConfiguration Read(XlDocument document, out IReadOnlyList<string> warnings)
    {
        DomainConfigurationReader reader = new(document);
        DomainConfiguration configuration = reader.Build();
        warnings = reader._warnings;
        return configuration;
    }

    private DomainConfiguration Build()
    {
        CheckKeys();
        CheckType();
        string name = Text("name") ?? throw Wrong(null, "the domain has no name; write name = \"...\"");
        if (name.Length is 0 or > LongestName || !name.All(c => c is > ' ' and < (char)0x7F and not '/') || name.All(char.IsAsciiDigit))
        {
            throw Wrong("name", $"'{name}' cannot be a domain's name: 1 to {LongestName} characters without spaces and '/', not a number alone");
        }

        int memory = Number("memory", 1, MostMemory) ?? DomainConfiguration.DefaultMemory;
        int maximumMemory = Number("maxmem", 1, MostMemory) ?? memory;
        int vcpus = Number("vcpus", 1, MostVcpus) ?? 1;
        int maximumVcpus = Number("maxvcpus", 1, MostVcpus) ?? vcpus;
        if (maximumMemory < memory)
        {
            throw Wrong("maxmem", $"maxmem ({maximumMemory}) is less than memory ({memory})");
        }

        if (maximumVcpus < vcpus)
        {
            throw Wrong("maxvcpus", $"maxvcpus ({maximumVcpus}) is less than vcpus ({vcpus})");
        }

        DomainConfiguration configuration = new(name)
        {
            Uuid = Uuid(),
            Memory = memory,
            MaximumMemory = maximumMemory,
            Vcpus = vcpus,
            MaximumVcpus = maximumVcpus,
            Kernel = Path("kernel"),
            Ramdisk = Path("ramdisk"),
            CommandLine = CommandLine(),
            Disks = Each("disk", DiskParser.Parse),
            Interfaces = Each("vif", InterfaceParser.Parse),
            HardAffinity = Affinity("cpus"),
            SoftAffinity = Affinity("cpus_soft"),
            Weight = Number("cpu_weight", 1, ushort.MaxValue) ?? DomainConfiguration.DefaultWeight,
            Cap = Number("cap", 0, 100 * MostVcpus) ?? 0,
            OnPoweroff = Action("on_poweroff", DomainAction.Destroy),
            OnReboot = Action("on_reboot", DomainAction.Restart),
            OnCrash = Action("on_crash", DomainAction.Destroy),
            OnWatchdog = Action("on_watchdog", DomainAction.Destroy),
            MaximumEventChannels = Number("max_event_channels", 1, 4095) ?? 1023,
            MaximumGrantFrames = Number("max_grant_frames", 1, 1024),
            MaximumMaptrackFrames = Number("max_maptrack_frames", 0, 4096),
        };
        CheckKernel(configuration);
        CheckDevices(configuration);
        return configuration;
    }

    private void CheckKeys()
    {
        foreach (string key in _document.Keys)
        {
            if (Array.IndexOf(s_refused, key) >= 0)
            {
                throw Wrong(key, $"'{key}' is not to be had here: domains have a console, disks and network interfaces; take the line out");
            }

            if (s_ignored.TryGetValue(key, out string? instead))
            {
                Warn(key, $"'{key}' has no effect: {instead}");
            }
            else if (Array.IndexOf(s_known, key) < 0)
            {
                Warn(key, $"'{key}' is unknown and has no effect");
            }
        }
    }

    private void CheckType()
    {
        string? type = Text("type") ?? (Text("builder") is string builder ? (builder is "generic" or "linux" ? "pv" : "hvm") : null);
        if (type is not (null or "pv"))
        {
            throw Wrong(_document.Find("type") is null ? "builder" : "type", $"this is a domain of the type '{type}', which needs a processor's virtualization; only type = \"pv\" runs here");
        }

        foreach (string key in (ReadOnlySpan<string>)["driver_domain", "e820_host"])
        {
            if (Number(key, 0, 1) == 1)
            {
                throw Wrong(key, $"'{key}' is not to be had here; take the line out");
            }
        }
    }

    private void CheckKernel(DomainConfiguration configuration)
    {
        string? loader = Text("bootloader");
        if (loader is not null && !loader.EndsWith("pygrub", StringComparison.Ordinal))
        {
            throw Wrong("bootloader", $"the boot loader '{loader}' is not run here; bootloader = \"pygrub\" reads kernel and RAM disk from the guest's first disk");
        }

        if (loader is not null && configuration.Kernel is not null)
        {
            throw Wrong("kernel", "a domain has a kernel or a bootloader that finds one on its disk, not both");
        }

        if (configuration.Kernel is null && !configuration.Disks.Any(disk => !disk.IsCdrom))
        {
            throw Wrong(null, "there is nothing to boot: name a kernel, or a disk that holds one");
        }
    }

    private void CheckDevices(DomainConfiguration configuration)
    {
        foreach (IGrouping<uint, DiskSpecification> group in configuration.Disks.GroupBy(disk => disk.Device.Number))
        {
            if (group.Skip(1).Any())
            {
                throw Wrong("disk", $"two disks have the name {group.First().Device.Name} in the guest");
            }
        }

        foreach (IGrouping<string, InterfaceSpecification> group in configuration.Interfaces.Where(one => one.Mac is not null).GroupBy(one => one.Mac!.ToString()))
        {
            if (group.Skip(1).Any())
            {
                throw Wrong("vif", $"two interfaces have the Ethernet address {group.Key}");
            }
        }
    }

    private Guid? Uuid()
    {
        string? text = Text("uuid");
        return text is null ? null : Guid.TryParseExact(text, "D", out Guid uuid) && uuid != Guid.Empty
            ? uuid
            : throw Wrong("uuid", $"'{text}' is no uuid; it has the form 01234567-89ab-cdef-0123-456789abcdef");
    }

    private string? Path(string key)
    {
        string? path = Text(key);
        return path is not { Length: 0 } ? path : null;
    }

    private string CommandLine()
    {
        string? root = Text("root");
        string? extra = Text("extra");
        string line = Text("cmdline") ?? string.Join(' ', new[] { root is null ? null : $"root={root}", extra }.Where(part => part is not null));
        if (line.Length > LongestCommandLine || line.Contains('\0', StringComparison.Ordinal))
        {
            throw Wrong(_document.Find("cmdline") is null ? "extra" : "cmdline", $"the kernel's command line has {line.Length} characters; {LongestCommandLine} is the most");
        }

        if (_document.Find("cmdline") is not null && (root ?? extra) is not null)
        {
            Warn("cmdline", "cmdline takes the place of root and extra");
        }

        return line;
    }

    private List<CpuList> Affinity(string key)
    {
        return _document.Find(key) switch
        {
            null => [],
            XlText text => [Guarded(key, text.Line, () => CpuList.Parse(text.Text))],
            XlNumber number => [Guarded(key, number.Line, () => CpuList.Parse(number.Number.ToString(CultureInfo.InvariantCulture)))],
            XlList list => [.. list.Items.Select(item => Guarded(key, item.Line, () => CpuList.Parse(TextOf(key, item))))],
            _ => [],
        };
    }

    private List<T> Each<T>(string key, Func<string, T> parse)
    {
        XlValue? value = _document.Find(key);
        return value switch
        {
            null => [],
            XlList list => [.. list.Items.Select(item => Guarded(key, item.Line, () => parse(TextOf(key, item))))],
            _ => throw Wrong(key, $"'{key}' is a list: {key} = [ \"...\" ]"),
        };
    }

    private T Guarded<T>(string key, int line, Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (FormatException exception)
        {
            throw new ConfigurationException(_document.Source, line, $"{key}: {exception.Message}");
        }
    }

    private DomainAction Action(string key, DomainAction usual)
    {
        string? text = Text(key);
        if (text is "coredump-destroy" or "coredump-restart")
        {
            Warn(key, $"no core is written: '{text}' does what '{text["coredump-".Length..]}' does");
            text = text["coredump-".Length..];
        }

        return text switch
        {
            null => usual,
            "destroy" => DomainAction.Destroy,
            "restart" or "soft-reset" => DomainAction.Restart,
            "rename-restart" => DomainAction.RenameRestart,
            "preserve" => DomainAction.Preserve,
            _ => throw Wrong(key, $"'{text}' is none of destroy, restart, rename-restart, preserve"),
        };
    }

    private string TextOf(string key, XlValue value) => value switch
    {
        XlText text => text.Text,
        XlNumber number => number.Number.ToString(CultureInfo.InvariantCulture),
        _ => throw new ConfigurationException(_document.Source, value.Line, $"'{key}' is a list of texts, not of lists"),
    };

    private string? Text(string key) => _document.Find(key) switch
    {
        null => null,
        XlText text => text.Text,
        _ => throw Wrong(key, $"'{key}' is a text in quotes"),
    };

    private int? Number(string key, int least, int most)
    {
        long? number = _document.Find(key) switch
        {
            null => null,
            XlNumber value => value.Number,
            XlText text when long.TryParse(text.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) => value,
            _ => throw Wrong(key, $"'{key}' is a number"),
        };
        return number is null || (number >= least && number <= most) ? (int?)number : throw Wrong(key, $"'{key}' is a number from {least} to {most}, not {number}");
    }

    private void Warn(string key, string text) => _warnings.Add(Wrong(key, text).Message);

    private ConfigurationException Wrong(string? key, string problem) => new(_document.Source, key is null ? 0 : _document.Find(key)?.Line ?? 0, problem);
}
