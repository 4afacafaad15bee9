// What the daemon is told at its start.
using System.Net;
using Xenod.Networks;
using Xenod.Xenstore;
using Xenolith.Toolstack.BootDisks;

namespace Xenod;

/// <summary>What the daemon is told at its start.</summary>
internal sealed record DaemonOptions
{
    /// <summary>Where the xenstore server listens and keeps its state.</summary>
    public XenstoreOptions Xenstore { get; init; } = new();

    /// <summary>The Unix socket of the HTTP interface.</summary>
    public string ApiSocket { get; init; } = "/run/xenolith/xenod.sock";

    /// <summary>An address for the HTTP interface besides, or null.</summary>
    public IPEndPoint? ApiAddress { get; init; }

    /// <summary>What clients of that address have to show.</summary>
    public string? ApiToken { get; init; }

    /// <summary>The private network of the domains.</summary>
    public NetworkOptions Network { get; init; } = new();

    /// <summary>Holds the records of domains; starts with nothing when the machine does.</summary>
    public string State { get; init; } = "/run/xenolith/domains";

    /// <summary>Holds what domains have said.</summary>
    public string Consoles { get; init; } = "/var/log/xenolith/consoles";

    /// <summary>Holds unpacked kernels.</summary>
    public string Kernels { get; init; } = "/var/cache/xenolith/kernels";

    /// <summary>Holds kernels and RAM disks of domains that boot from their own disks.</summary>
    public string BootFiles { get; init; } = BootFileStore.DefaultDirectory;
}
