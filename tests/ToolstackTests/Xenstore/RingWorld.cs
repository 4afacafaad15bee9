// A server's core with rings, and guests at their other ends.

using System.Text;
using Xenod.Xenstore;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

/// <summary>The server runs when an event has come for it, or when it has said that there is more to do; never else.</summary>
internal sealed class RingWorld
{
    private readonly HashSet<uint> _events = [];
    private readonly Connection _toolstack;
    private uint _request = 1000;

    public RingWorld(bool domain0 = false, MemoryJournal? journal = null)
    {
        Journal = journal ?? new MemoryJournal();
        if (domain0)
        {
            Host.HasDomain0Ring = true;
            AddPage(0);
        }
        Core = Start();
        _toolstack = Core.Store.ConnectSocket();
    }

    public FakeHost Host { get; } = new();

    public MemoryJournal Journal { get; }

    public XenstoreCore Core { get; private set; }

    public Dictionary<uint, LinuxGuest> Guests { get; } = [];

    public List<string> Log { get; } = [];

    public void AddPage(uint domain)
    {
        FakePage page = new();
        Host.Pages.Add(domain, page);
        Guests[domain] = new LinuxGuest(page, () => Event(domain));
    }

    /// <summary>Introduces a domain, or introduces it again.</summary>
    public void Introduce(uint domain)
    {
        if (!Host.Pages.ContainsKey(domain))
        {
            AddPage(domain);
        }
        if (!Host.Domains.Exists(state => state.Domain == domain))
        {
            Host.Domains.Add(new DomainState(domain, false, false));
        }
        AskToolstack(XenstoreOperation.MakeDirectory, $"/local/domain/{domain}|");
        AskToolstack(XenstoreOperation.SetPermissions, $"/local/domain/{domain}|n{domain}|");
        Assert.Equal("OK", AskToolstack(XenstoreOperation.Introduce, $"{domain}|{domain + 1000}|{domain + 1}|"));
        Run();
    }

    public string AskToolstack(XenstoreOperation operation, string payload)
    {
        byte[] message = XenstoreHeader.Format(operation, 1, 0, Encoding.ASCII.GetBytes(payload.Replace('|', '\0')));
        ReadOnlySpan<byte> rest = message;
        while (!rest.IsEmpty)
        {
            int length = Math.Min(_toolstack.Needed, rest.Length);
            Core.Store.Receive(_toolstack, rest[..length]);
            rest = rest[length..];
        }
        byte[] bytes = new byte[_toolstack.QueuedBytes];
        _toolstack.Peek(bytes);
        Core.Store.Sent(_toolstack, bytes.Length);
        List<Received> messages = [];
        TestStore.Parse(bytes, messages);
        return messages[^1].Text.TrimEnd('|');
    }

    public string Check() => AskToolstack(XenstoreOperation.Control, "check|");

    public Connection Connection(uint domain) => Core.Store.Machine.Connections[domain];

    /// <summary>The domain's event channel fires.</summary>
    public void Event(uint domain) => _events.Add(domain);

    /// <summary>Lets the server do what it has to.</summary>
    public void Run(int mostRounds = int.MaxValue)
    {
        do
        {
            foreach (uint domain in _events.ToArray())
            {
                _events.Remove(domain);
                Host.Bound.GetValueOrDefault(domain)?.Invoke();
            }
        }
        while (Core.Round() && --mostRounds > 0);
    }

    /// <summary>Asks from a guest and waits for the reply; the payload has '|' for NUL, and so has the result.</summary>
    public string Ask(uint domain, XenstoreOperation operation, string payload, uint transaction = 0)
    {
        LinuxGuest guest = Guests[domain];
        uint id = ++_request;
        guest.Send(XenstoreHeader.Format(operation, id, transaction, Encoding.ASCII.GetBytes(payload.Replace('|', '\0'))));
        for (int step = 0; step < 1000; step++)
        {
            guest.WriteSome(4096);
            Run();
            guest.ReadSome(4096);
            foreach (Received message in guest.Messages)
            {
                if (message.Request == id && message.Operation != XenstoreOperation.WatchEvent)
                {
                    return message.Text;
                }
            }
        }
        throw new InvalidOperationException("no answer");
    }

    /// <summary>The process dies; another one starts with its journal.</summary>
    public void Restart()
    {
        Host.LoseProcess();
        _events.Clear();
        Core = Start();
    }

    private XenstoreCore Start() => new(Journal, Host, StoreLimits.Default, domain => Core?.Wake(domain), Log.Add);
}
