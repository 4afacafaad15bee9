// Domains with ring pages, and no hypervisor.

using Xenod.Xenstore;
using Xenod.Xenstore.Journal;

namespace ToolstackTests.Xenstore;

/// <summary>Remembers pages and events; what a server process would have mapped is lost with <see cref="LoseProcess"/>.</summary>
internal sealed class FakeHost : IXenstoreHost
{
    private sealed class Ring(FakeHost host, uint domain) : IDomainRing
    {
        public ISharedPage Page { get; } = host.Pages[domain];

        public void Notify()
        {
            host.BeforeNotify?.Invoke();
            host.Guests.GetValueOrDefault(domain)?.Invoke();
        }

        public void Dispose() => Assert.True(host.Bound.Remove(domain));
    }

    public Dictionary<uint, FakePage> Pages { get; } = [];

    /// <summary>What happens to a domain when it is notified.</summary>
    public Dictionary<uint, Action> Guests { get; } = [];

    /// <summary>The server's answers to events, by domain.</summary>
    public Dictionary<uint, Action> Bound { get; } = [];

    /// <summary>The port that each domain was bound with last.</summary>
    public Dictionary<uint, uint> Ports { get; } = [];

    public List<DomainState> Domains { get; } = [];

    public bool HasDomain0Ring { get; set; }

    public Action? BeforeNotify { get; set; }

    public IDomainRing? ConnectDomain0(Action ready) => HasDomain0Ring ? Bind(0, ready) : null;

    public IDomainRing Connect(uint domain, ulong frame, uint port, Action ready)
    {
        if (!Pages.ContainsKey(domain) || frame != domain + 1000)
        {
            throw new IOException("no such page");
        }
        Ports[domain] = port;
        return Bind(domain, ready);
    }

    public IReadOnlyList<DomainState> ListDomains() => Domains;

    /// <summary>The server's process is gone, and with it its mappings and ports.</summary>
    public void LoseProcess() => Bound.Clear();

    private Ring Bind(uint domain, Action ready)
    {
        Bound.Add(domain, ready);
        return new Ring(this, domain);
    }
}

/// <summary>A journal in memory, which may be cut off in the middle of a write.</summary>
internal sealed class MemoryJournal : IJournalFile
{
    public List<byte> Bytes { get; } = [];

    /// <summary>Called before each write.</summary>
    public Action? BeforeWrite { get; set; }

    public byte[] Read() => [.. Bytes];

    public void Append(ReadOnlySpan<byte> bytes)
    {
        // Half of the bytes, then the rest: between the two the process may die.
        BeforeWrite?.Invoke();
        Bytes.AddRange(bytes[..(bytes.Length / 2)]);
        BeforeWrite?.Invoke();
        Bytes.AddRange(bytes[(bytes.Length / 2)..]);
    }

    public void Replace(ReadOnlySpan<byte> bytes)
    {
        BeforeWrite?.Invoke();
        Bytes.Clear();
        Bytes.AddRange(bytes);
    }

    public void Dispose()
    {
    }
}
