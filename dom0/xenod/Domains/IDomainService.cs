// What the daemon can do with domains; the HTTP interface stands on it.
using Xenod.Consoles;
using Xenolith.Toolstack.Configuration;

namespace Xenod.Domains;

/// <summary>How a domain is asked to end by itself.</summary>
internal enum ShutdownRequest
{
    /// <summary>Switch off.</summary>
    Poweroff,

    /// <summary>Start anew.</summary>
    Reboot,
}

/// <summary>What of a domain is to change; null leaves it as it is.</summary>
/// <param name="Memory">MiB.</param>
/// <param name="Vcpus">How many are on.</param>
/// <param name="Weight">1 to 65535.</param>
/// <param name="Cap">Percent of one processor; 0 = no limit.</param>
internal sealed record DomainChange(int? Memory = null, int? Vcpus = null, int? Weight = null, int? Cap = null);

/// <summary>The domains of the machine. Names are uuids, names, or the hypervisor's numbers; refusals are <see cref="DomainServiceException"/>.</summary>
internal interface IDomainService
{
    Task<IReadOnlyList<DomainView>> ListAsync(CancellationToken cancellation);

    Task<DomainView> GetAsync(string domain, CancellationToken cancellation);

    /// <summary>Makes a domain and starts it. A second call with the same uuid and configuration finds the domain and changes nothing.</summary>
    /// <returns>The domain, and whether this call has made it.</returns>
    Task<(DomainView Domain, bool IsNew)> CreateAsync(Guid uuid, DomainConfiguration configuration, bool isPaused, CancellationToken cancellation);

    Task PauseAsync(string domain, CancellationToken cancellation);

    Task UnpauseAsync(string domain, CancellationToken cancellation);

    /// <summary>Asks the guest; it ends when it likes.</summary>
    Task ShutdownAsync(string domain, ShutdownRequest request, CancellationToken cancellation);

    Task DestroyAsync(string domain, CancellationToken cancellation);

    Task ChangeAsync(string domain, DomainChange change, CancellationToken cancellation);

    /// <summary>The console of a domain, also of one that has ended.</summary>
    Task<IGuestConsole> ConsoleAsync(string domain, CancellationToken cancellation);
}
