// What a PV domain is built from.
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

    /// <summary>The domain that serves its xenstore ring.</summary>
    public ushort XenstoreDomain { get; init; }

    /// <summary>The domain that serves its console ring.</summary>
    public ushort ConsoleDomain { get; init; }

    internal ulong Pages => (ulong)Memory * KibibytesPerMebibyte / 4;

    internal ulong Kibibytes => (ulong)Memory * KibibytesPerMebibyte;

    internal ulong MaximumBytes => (ulong)Math.Max(Memory, MaximumMemory) << 20;
}
