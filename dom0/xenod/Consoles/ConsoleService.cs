// The consoles of all domains.
using System.Collections.Concurrent;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Grants;
using Xenolith.Toolstack.Hypercalls;

namespace Xenod.Consoles;

/// <summary>Serves the consoles of domains that live, and keeps what those have said that do not.</summary>
/// <param name="directory">Holds a directory for each domain's log.</param>
/// <param name="hypervisor">Maps rings that are not granted.</param>
/// <param name="grants">Maps rings; null when the kernel does not offer it.</param>
/// <param name="events">Their event channels.</param>
/// <param name="clock">Time.</param>
internal sealed class ConsoleService(string directory, IHypervisor hypervisor, IGrants? grants, IEventChannels events, TimeProvider clock) : IAsyncDisposable
{
    /// <summary>How many domains' logs are kept.</summary>
    internal const int KeptLogs = 256;

    private const uint ConsoleGrant = 0;

    private readonly ConcurrentDictionary<Guid, DomainConsole> _consoles = new();

    /// <summary>Begins to serve a domain's console.</summary>
    /// <param name="uuid">The domain.</param>
    /// <param name="id">Its number.</param>
    /// <param name="frame">Its ring's machine frame.</param>
    /// <param name="port">Its port.</param>
    /// <param name="start">Where in the log the domain's first byte is; null = behind what is there.</param>
    /// <returns>Where in the log the domain's first byte is.</returns>
    /// <exception cref="XenException">The ring or the port cannot be had.</exception>
    internal long Attach(Guid uuid, ushort id, ulong frame, uint port, long? start)
    {
        RemoveOldLogs();
        DomainConsole console = _consoles.GetOrAdd(uuid, _ => new DomainConsole(ConsoleLog.Open(PathOf(uuid))));
        long first = start ?? console.Log.End;
        ForeignMapping page = Map(id, frame);
        try
        {
            console.Attach(new GuestConsole(console.Log, page, events.BindInterdomain(id, port), (uint)(console.Log.End - first), clock));
            return first;
        }
        catch
        {
            page.Dispose();
            throw;
        }
    }

    /// <summary>Takes what a domain has said last and lets go of its ring, so that its memory can be freed.</summary>
    /// <param name="uuid">The domain.</param>
    /// <param name="isEnd">It will not be started again: those who look at its console need not wait.</param>
    internal async Task DetachAsync(Guid uuid, bool isEnd)
    {
        if (_consoles.TryGetValue(uuid, out DomainConsole? console))
        {
            await console.DetachAsync().ConfigureAwait(false);
            if (isEnd)
            {
                console.End();
            }
        }
    }

    /// <summary>A domain's console, also of one that has ended; null when nothing is kept of it.</summary>
    internal IGuestConsole? Find(Guid uuid)
        => _consoles.TryGetValue(uuid, out DomainConsole? console) ? console
            : Directory.Exists(PathOf(uuid)) ? _consoles.GetOrAdd(uuid, _ => new DomainConsole(ConsoleLog.Open(PathOf(uuid)))) : null;

    /// <summary>How full a domain's ring is; null while it has none.</summary>
    internal ConsoleRingUse? ReadRing(Guid uuid) => _consoles.TryGetValue(uuid, out DomainConsole? console) ? console.ReadRing() : null;

    /// <summary>Lets go of all rings and closes the logs; the domains go on.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (DomainConsole console in _consoles.Values)
        {
            await console.DetachAsync().ConfigureAwait(false);
            console.Log.Dispose();
        }
    }

    private ForeignMapping Map(ushort id, ulong frame)
    {
        try
        {
            if (grants is not null)
            {
                return grants.Map(id, [ConsoleGrant], isWritable: true);
            }
        }
        catch (XenException)
        {
            // Its builder left no grant; then the frame that it names is the only way.
        }

        return hypervisor.Map(id, [frame], isWritable: true);
    }

    private void RemoveOldLogs()
    {
        Directory.CreateDirectory(directory);
        IEnumerable<DirectoryInfo> old = new DirectoryInfo(directory).EnumerateDirectories()
            .OrderByDescending(log => log.LastWriteTimeUtc).Skip(KeptLogs);
        foreach (DirectoryInfo log in old.ToList())
        {
            if (Guid.TryParseExact(log.Name, "D", out Guid uuid) && !(_consoles.TryGetValue(uuid, out DomainConsole? console) && console.IsAttached))
            {
                if (_consoles.TryRemove(uuid, out console))
                {
                    console.Log.Dispose();
                }

                log.Delete(recursive: true);
            }
        }
    }

    private string PathOf(Guid uuid) => Path.Combine(directory, uuid.ToString("D"));
}
