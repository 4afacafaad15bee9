// What the daemon can do with domains; the HTTP interface stands on it.
using System.Text.Json;
using Xenod.Consoles;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Domains;

/// <summary>How a domain is asked to end by itself.</summary>
internal enum ShutdownRequest
{
    /// <summary>Switch off.</summary>
    Poweroff,

    /// <summary>Start anew.</summary>
    Reboot,
}

/// <summary>The domains of the machine. Names are uuids, names, or the hypervisor's numbers; refusals are <see cref="DomainServiceException"/>.</summary>
internal interface IDomainService
{
    Task<IReadOnlyList<DomainView>> ListAsync(CancellationToken cancellation);

    Task<DomainView> GetAsync(string domain, CancellationToken cancellation);

    /// <summary>Makes a domain and starts it. A second call with the same uuid and settings finds the domain and changes nothing.</summary>
    /// <param name="uuid">Chosen by the caller.</param>
    /// <param name="settings">A JSON object with the keys of xl.cfg.</param>
    /// <param name="isPaused">It is made and does not run yet.</param>
    /// <param name="cancellation">Ends the making; nothing is left of it then.</param>
    /// <exception cref="ConfigurationException">The settings are wrong.</exception>
    Task<CreatedDomain> CreateAsync(Guid uuid, JsonElement settings, bool isPaused, CancellationToken cancellation);

    Task PauseAsync(string domain, CancellationToken cancellation);

    Task UnpauseAsync(string domain, CancellationToken cancellation);

    /// <summary>Asks the guest; it ends when it likes.</summary>
    Task ShutdownAsync(string domain, ShutdownRequest request, CancellationToken cancellation);

    Task DestroyAsync(string domain, CancellationToken cancellation);

    Task ChangeAsync(string domain, DomainChange change, CancellationToken cancellation);

    Task<IReadOnlyList<VcpuView>> ListVcpusAsync(string domain, CancellationToken cancellation);

    /// <summary>The same for a domain whose number is known.</summary>
    IReadOnlyList<VcpuView> ListVcpus(ushort id);

    /// <summary>How full the ring of a domain's console is; null while it has none.</summary>
    ConsoleRingUse? ReadConsoleRing(Guid uuid);

    Task<IReadOnlyList<DiskView>> ListDisksAsync(string domain, CancellationToken cancellation);

    /// <summary>Gives a running domain a disk, described as in an xl.cfg file.</summary>
    Task AttachDiskAsync(string domain, string disk, CancellationToken cancellation);

    /// <summary>Takes a disk away; by force, the guest is not asked.</summary>
    Task DetachDiskAsync(string domain, string name, bool isForced, CancellationToken cancellation);

    Task<IReadOnlyList<InterfaceView>> ListInterfacesAsync(string domain, CancellationToken cancellation);

    /// <summary>Gives a running domain a network interface, described as in an xl.cfg file.</summary>
    Task AttachInterfaceAsync(string domain, string text, CancellationToken cancellation);

    /// <summary>Takes an interface away; by force, the guest is not asked.</summary>
    Task DetachInterfaceAsync(string domain, uint index, bool isForced, CancellationToken cancellation);

    /// <summary>Gives an interface other rules, all at once.</summary>
    Task SetRulesAsync(string domain, uint index, IReadOnlyList<string> rules, CancellationToken cancellation);

    /// <summary>The console of a domain, also of one that has ended.</summary>
    Task<IGuestConsole> ConsoleAsync(string domain, CancellationToken cancellation);
}
