// A domain in the daemon's hands.
using Xenod.Devices;
using Xenolith.Toolstack.Configuration;

namespace Xenod.Domains;

/// <summary>A domain that this daemon has made. Only whoever has entered its gate changes it.</summary>
internal sealed class ManagedDomain(DomainRecord record, DomainConfiguration configuration)
{
    /// <summary>Held while the domain is made, ended or started again.</summary>
    internal SemaphoreSlim Gate { get; } = new(1);

    /// <summary>What is kept of it.</summary>
    internal DomainRecord Record { get; set; } = record;

    /// <summary>What it is made from.</summary>
    internal DomainConfiguration Configuration { get; } = configuration;

    /// <summary>The devices that it has, or gets at its next start.</summary>
    internal DeviceSettings Devices => Record.Devices ?? DeviceSettings.Of(Configuration);

    /// <summary>It has been taken out of the table.</summary>
    internal bool IsGone { get; set; }
}
