// Domains that exist in memory only.
using System.Globalization;
using System.Text.Json;
using Xenod.Consoles;
using Xenod.Domains;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;

namespace Xenolith.Toolstack.Tests.Http;

/// <summary>A service whose domains do nothing: what was asked of it is kept in <see cref="Calls"/>.</summary>
internal sealed class FakeDomains(string directory) : IDomainService, IDisposable
{
    private readonly Dictionary<Guid, (DomainView View, FakeConsole Console)> _domains = [];
    private int _next = 1;

    internal List<string> Calls { get; } = [];

    internal FakeConsole ConsoleOf(string name) => _domains.Values.Single(domain => domain.View.Name == name).Console;

    public Task<IReadOnlyList<DomainView>> ListAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<DomainView>>([.. _domains.Values.Select(domain => domain.View)]);

    public Task<DomainView> GetAsync(string domain, CancellationToken cancellation) => Task.FromResult(Find(domain));

    public Task<CreatedDomain> CreateAsync(Guid uuid, JsonElement settings, bool isPaused, CancellationToken cancellation)
    {
        DomainConfiguration configuration = DomainConfigurationReader.Read(DomainSettingsJson.Parse(settings), out IReadOnlyList<string> warnings);
        if (_domains.TryGetValue(uuid, out (DomainView View, FakeConsole Console) old))
        {
            return Task.FromResult(new CreatedDomain(old.View, false, warnings));
        }

        if (configuration.Memory > 1024)
        {
            throw new DomainServiceException(Refusal.NoRoom, "there is not so much memory");
        }

        DomainView view = new(uuid, _next++, configuration.Name, isPaused ? DomainState.Paused : DomainState.Running, configuration.Memory * 1024L, configuration.MaximumMemory * 1024L, configuration.Vcpus, 0);
        _domains.Add(uuid, (view, new FakeConsole(ConsoleLog.Open(Path.Combine(directory, uuid.ToString("D"))))));
        return Task.FromResult(new CreatedDomain(view, true, warnings));
    }

    public Task PauseAsync(string domain, CancellationToken cancellation) => Note("pause", domain);

    public Task UnpauseAsync(string domain, CancellationToken cancellation) => Note("unpause", domain);

    public Task ShutdownAsync(string domain, ShutdownRequest request, CancellationToken cancellation) => Note(request.ToString(), domain);

    public Task DestroyAsync(string domain, CancellationToken cancellation) => Note("destroy", domain);

    public Task ChangeAsync(string domain, DomainChange change, CancellationToken cancellation) => Note(change.ToString(), domain);

    public Task<IReadOnlyList<DiskView>> ListDisksAsync(string domain, CancellationToken cancellation)
    {
        Find(domain);
        return Task.FromResult<IReadOnlyList<DiskView>>([new DiskView("xvda", "/srv/disk.img", "/dev/loop0", false, true)]);
    }

    public Task AttachDiskAsync(string domain, string disk, CancellationToken cancellation) => Note($"attach {disk} to", domain);

    public Task DetachDiskAsync(string domain, string name, bool isForced, CancellationToken cancellation) => Note($"detach {name} {isForced} from", domain);

    public Task<IReadOnlyList<VcpuView>> ListVcpusAsync(string domain, CancellationToken cancellation)
    {
        Find(domain);
        return Task.FromResult(ListVcpus(1));
    }

    public IReadOnlyList<VcpuView> ListVcpus(ushort id) => [new VcpuView(0, "running", 1, 2_500_000_000, [0, 1], [0, 1], new VcpuCountersView(500_000_000, 12, 34, 56))];

    public ConsoleRingUse? ReadConsoleRing(Guid uuid) => new(7, 9);

    public Task<IReadOnlyList<InterfaceView>> ListInterfacesAsync(string domain, CancellationToken cancellation)
    {
        Find(domain);
        return Task.FromResult<IReadOnlyList<InterfaceView>>([new InterfaceView(0, "vif1.0", "00:16:3e:01:02:03", "xenbr0", null, ["10.87.0.9"], true, ["deny out tcp port 25"], [new RuleCounter("deny out tcp port 25", 3, 180)])]);
    }

    public Task AttachInterfaceAsync(string domain, string text, CancellationToken cancellation) => Note($"attach interface '{text}' to", domain);

    public Task DetachInterfaceAsync(string domain, uint index, bool isForced, CancellationToken cancellation) => Note($"detach interface {index} {isForced} from", domain);

    public Task SetRulesAsync(string domain, uint index, IReadOnlyList<string> rules, CancellationToken cancellation) => Note($"rules {index} {string.Join(';', rules)} of", domain);

    public Task<IGuestConsole> ConsoleAsync(string domain, CancellationToken cancellation) => Task.FromResult<IGuestConsole>(_domains[Find(domain).Uuid].Console);

    public void Dispose()
    {
        foreach ((_, FakeConsole console) in _domains.Values)
        {
            console.Log.Dispose();
        }
    }

    private Task Note(string call, string domain)
    {
        Calls.Add($"{call} {Find(domain).Name}");
        return Task.CompletedTask;
    }

    private DomainView Find(string domain)
        => _domains.Values.Select(one => one.View).FirstOrDefault(view => view.Name == domain || view.Uuid.ToString("D") == domain || view.Id?.ToString(CultureInfo.InvariantCulture) == domain)
            ?? throw new DomainServiceException(Refusal.NotFound, $"there is no domain '{domain}'");
}

/// <summary>A console that says what it is told to, and repeats what is typed.</summary>
internal sealed class FakeConsole(ConsoleLog log) : IGuestConsole
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConsoleLog Log => log;

    public Task Ended => _ended.Task;

    public Task TypeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        log.Append(bytes.Span);
        return Task.CompletedTask;
    }

    internal void End() => _ended.SetResult();
}
