// What a PV domain is built from.
using Xenolith.Abi;
using Xenolith.Loading;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Building;

/// <summary>Kernel, memory and limits of a new domain. Devices come afterwards, by way of the xenstore.</summary>
public sealed record BuildRequest
{
    private const int KibibytesPerMebibyte = 1024;

    /// <summary>What messages call it.</summary>
    public required string Name { get; init; }

    /// <summary>Path of the kernel: a bzImage packed with gzip, xz, zstd or lz4, or an ELF file.</summary>
    public required string KernelPath { get; init; }

    /// <summary>Path of the initial RAM disk, if any; it is handed over as it is.</summary>
    public string? RamDiskPath { get; init; }

    /// <summary>The kernel's command line, at most 1023 bytes.</summary>
    public string CommandLine { get; init; } = "";

    /// <summary>Memory in MiB.</summary>
    public required int Memory { get; init; }

    /// <summary>Memory in MiB that it may be given later; its kernel prepares for it. 0: the same as <see cref="Memory"/>.</summary>
    public int MaximumMemory { get; init; }

    /// <summary>Limits, and the UUID.</summary>
    public DomainSettings Settings { get; init; } = new();

    /// <summary>How it sees the time-stamp counter.</summary>
    public TscMode TscMode { get; init; }

    /// <summary>What CPUID says; null: what the hypervisor thinks right for PV domains.</summary>
    public CpuPolicy? CpuPolicy { get; init; }

    /// <summary>Its share of the processors; null: the usual one.</summary>
    public SchedulerShare? Share { get; init; }

    /// <summary>Which processors each vcpu may use, from vcpu 0 on; empty: all.</summary>
    public IReadOnlyList<IReadOnlyList<int>> Affinity { get; init; } = [];

    /// <summary>The domain that serves its xenstore ring; null: it has none, and so no devices.</summary>
    public ushort? XenstoreDomain { get; init; } = DomainIds.Domain0;

    /// <summary>The domain that serves its console ring.</summary>
    public ushort ConsoleDomain { get; init; }

    /// <summary>The request for a domain that a configuration describes; its devices are set up apart.</summary>
    /// <param name="configuration">With a kernel, which the caller has fetched if it lies on the domain's disk.</param>
    /// <param name="nodes">The NUMA node of each processor of the machine.</param>
    /// <exception cref="FormatException">A list of processors names none of the machine's.</exception>
    public static BuildRequest For(DomainConfiguration configuration, IReadOnlyList<int> nodes)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        IReadOnlyList<CpuList> lists = configuration.HardAffinity;
        return new BuildRequest
        {
            Name = configuration.Name,
            KernelPath = configuration.Kernel ?? throw new ArgumentException("the configuration names no kernel", nameof(configuration)),
            RamDiskPath = configuration.Ramdisk,
            CommandLine = configuration.CommandLine,
            Memory = configuration.Memory,
            MaximumMemory = configuration.MaximumMemory,
            Share = configuration is { Weight: DomainConfiguration.DefaultWeight, Cap: 0 } ? null : new SchedulerShare(configuration.Weight, configuration.Cap),
            Affinity = lists.Count == 0 ? [] : [.. Enumerable.Range(0, configuration.MaximumVcpus).Select(vcpu => lists[Math.Min(vcpu, lists.Count - 1)].Resolve(nodes))],
            Settings = new DomainSettings
            {
                Uuid = configuration.Uuid ?? Guid.NewGuid(),
                MaximumVcpus = configuration.MaximumVcpus,
                MaximumEventPort = configuration.MaximumEventChannels,
                MaximumGrantFrames = configuration.MaximumGrantFrames,
                MaximumMapTrackFrames = configuration.MaximumMaptrackFrames,
            },
        };
    }

    internal InitialRings Rings => InitialRings.Console | (XenstoreDomain is null ? InitialRings.None : InitialRings.Xenstore);

    internal ulong Pages => (ulong)Memory * KibibytesPerMebibyte / 4;

    internal ulong Kibibytes => (ulong)Memory * KibibytesPerMebibyte;

    internal ulong MaximumBytes => (ulong)Math.Max(Memory, MaximumMemory) << 20;
}
