// All that a domain is made from.
namespace Xenolith.Toolstack.Configuration;

/// <summary>A paravirtual domain as its owner wants it.</summary>
/// <param name="Name">Unique among the domains of a machine.</param>
public sealed record DomainConfiguration(string Name)
{
    /// <summary>Memory at the start, in MiB.</summary>
    public const int DefaultMemory = 32;

    /// <summary>The share of the processors of a domain about which nothing is said.</summary>
    public const int DefaultWeight = 256;

    /// <summary>Tells this domain from all others for ever; null = a new one.</summary>
    public Guid? Uuid { get; init; }

    /// <summary>Memory at the start, in MiB.</summary>
    public int Memory { get; init; } = DefaultMemory;

    /// <summary>The most memory it can be given while it runs, in MiB.</summary>
    public int MaximumMemory { get; init; } = DefaultMemory;

    /// <summary>Virtual processors that are on at the start.</summary>
    public int Vcpus { get; init; } = 1;

    /// <summary>Virtual processors it can have.</summary>
    public int MaximumVcpus { get; init; } = 1;

    /// <summary>The kernel's file in Domain 0; null = kernel and RAM disk are read from the domain's first disk.</summary>
    public string? Kernel { get; init; }

    /// <summary>The RAM disk's file in Domain 0, or null.</summary>
    public string? Ramdisk { get; init; }

    /// <summary>The kernel's command line.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>In the order of the configuration.</summary>
    public IReadOnlyList<DiskSpecification> Disks { get; init; } = [];

    /// <summary>In the order of the configuration; the place is the interface's number in the guest.</summary>
    public IReadOnlyList<InterfaceSpecification> Interfaces { get; init; } = [];

    /// <summary>The processors each vcpu has to run on; the last holds for all further vcpus; empty = all.</summary>
    public IReadOnlyList<CpuList> HardAffinity { get; init; } = [];

    /// <summary>The processors each vcpu had better run on; the last holds for all further vcpus; empty = all.</summary>
    public IReadOnlyList<CpuList> SoftAffinity { get; init; } = [];

    /// <summary>Share of the processors beside others, 1 to 65535.</summary>
    public int Weight { get; init; } = DefaultWeight;

    /// <summary>The most it may have of the processors in percent of one; 0 = no such limit.</summary>
    public int Cap { get; init; }

    /// <summary>When it has powered off.</summary>
    public DomainAction OnPoweroff { get; init; } = DomainAction.Destroy;

    /// <summary>When it has asked for a reboot.</summary>
    public DomainAction OnReboot { get; init; } = DomainAction.Restart;

    /// <summary>When it has crashed.</summary>
    public DomainAction OnCrash { get; init; } = DomainAction.Destroy;

    /// <summary>When its watchdog has bitten.</summary>
    public DomainAction OnWatchdog { get; init; } = DomainAction.Destroy;

    /// <summary>The highest port of an event channel it can have.</summary>
    public int MaximumEventChannels { get; init; } = 1023;

    /// <summary>The most frames of its grant table; null = the hypervisor's default.</summary>
    public int? MaximumGrantFrames { get; init; }

    /// <summary>The most frames for the grants it maps; null = the hypervisor's default.</summary>
    public int? MaximumMaptrackFrames { get; init; }
}
