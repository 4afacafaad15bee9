// The domains of the machine.
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using Xenod.Consoles;
using Xenod.Devices;
using Xenod.Events;
using Xenolith.Abi;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Hypercalls;

namespace Xenod.Domains;

/// <summary>Makes, changes and ends domains, and does for those that end by themselves what their configuration says.</summary>
internal sealed partial class DomainManager(
    ControlInterface control, DomainMaker maker, DomainNodes nodes, DomainDevices devices, ConsoleService consoles, DomainRecords records, EventLog events, TimeProvider clock, Action<string> log)
    : IDomainService
{
    /// <summary>A domain that ends sooner than this after its start waits for the rest of it before it is started again.</summary>
    internal static readonly TimeSpan ShortestLife = TimeSpan.FromSeconds(10);

    private const ushort Domain0 = 0;

    /// <summary>What the limit lies above a domain's memory, for what its kernel takes from outside of it (KiB).</summary>
    private const ulong Slack = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, ManagedDomain> _domains = [];
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Takes over the domains that a daemon before this one has made.</summary>
    internal async Task AdoptAsync(CancellationToken cancellation)
    {
        await nodes.WriteDomain0Async(cancellation).ConfigureAwait(false);
        Dictionary<Guid, DomainInformation> alive = control.Domains.List().Where(domain => domain.Uuid != Guid.Empty).ToDictionary(domain => domain.Uuid);
        foreach (DomainRecord record in records.Load())
        {
            DomainConfiguration configuration = DomainConfigurationReader.Read(DomainSettingsJson.Parse(record.Settings), out _);
            DomainInformation? found = alive.GetValueOrDefault(record.Uuid);
            ManagedDomain domain = new(record, configuration);
            if (record.Id is not null)
            {
                _domains.Add(record.Uuid, domain);
                if (found is not null && found.Id == record.Id && (found.State & DomainStates.Dying) == 0)
                {
                    consoles.Attach(record.Uuid, found.Id, record.ConsoleFrame, record.ConsolePort, record.ConsoleStart);
                    await devices.ReconcileAsync(found.Id, domain.Devices).ConfigureAwait(false);
                }

                continue;
            }

            // The daemon was killed while it made this one. Of a first start nobody has been told; a domain that was to start again does so.
            await maker.EndAsync(record with { Id = found?.Id }, isEnd: record.Started == default).ConfigureAwait(false);
            if (record.Started == default)
            {
                records.Remove(record.Uuid);
                log($"domain '{record.Name}' was half made; it is removed");
            }
            else
            {
                _domains.Add(record.Uuid, domain);
                _ = GuardedAsync(domain, () => RestartAsync(domain, cancellation), cancellation);
            }
        }

        await devices.ReconcileAsync([.. _domains.Values.Select(domain => domain.Record.Id).OfType<ushort>()], cancellation).ConfigureAwait(false);
        devices.ForgetAddressesBut(_domains.Values.Select(domain => (domain.Record.Uuid, domain.Devices)));
        LookAgain();
    }

    /// <summary>Domains may have ended: VIRQ_DOM_EXC.</summary>
    internal void LookAgain() => _changes.Writer.TryWrite(true);

    /// <summary>Does for domains that end what is to be done, until cancelled.</summary>
    internal async Task RunAsync(CancellationToken cancellation)
    {
        await foreach (bool isChanged in _changes.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
        {
            Dictionary<ushort, DomainInformation> all = control.Domains.List().ToDictionary(domain => domain.Id);
            foreach (ManagedDomain domain in Snapshot())
            {
                if (domain.Record is { Id: { } id, Ended: null } record && EndOf(all.GetValueOrDefault(id), record) is { } reason)
                {
                    _ = HandleEndAsync(domain, id, reason, cancellation);
                }
            }
        }
    }

    public async Task<IReadOnlyList<DomainView>> ListAsync(CancellationToken cancellation)
    {
        List<DomainView> views = [];
        Dictionary<Guid, ManagedDomain> managed = Snapshot().ToDictionary(domain => domain.Record.Uuid);
        foreach (DomainInformation found in control.Domains.List())
        {
            if (managed.TryGetValue(found.Uuid, out ManagedDomain? domain) && domain.Record.Id == found.Id)
            {
                // One that has ended and is not kept is being taken apart, or is about to.
                DomainView view = ViewOf(found, domain.Record.Name);
                views.Add(view.State is DomainState.Shutdown or DomainState.Crashed && domain.Record.Ended is null ? view with { State = DomainState.Dying } : view);
            }
            else if (domain?.Record is not { Id: null })
            {
                // The one left out is being made, which is told below.
                views.Add(ViewOf(found, await NameOfOtherAsync(found.Id, cancellation).ConfigureAwait(false)));
            }
        }

        foreach (ManagedDomain domain in managed.Values)
        {
            if (domain.Record is { Id: null } record)
            {
                DomainConfiguration configuration = domain.Configuration;
                views.Add(new DomainView(record.Uuid, null, record.Name, DomainState.Building, configuration.Memory * 1024L, configuration.MaximumMemory * 1024L, configuration.Vcpus, 0));
            }
        }

        return views;
    }

    public async Task<DomainView> GetAsync(string domain, CancellationToken cancellation)
    {
        IReadOnlyList<DomainView> all = await ListAsync(cancellation).ConfigureAwait(false);
        return all.FirstOrDefault(view => IsNamed(view.Uuid, view.Id, view.Name, domain))
            ?? throw new DomainServiceException(Refusal.NotFound, $"there is no domain '{domain}'; list the domains for those that there are");
    }

    public async Task<CreatedDomain> CreateAsync(Guid uuid, JsonElement settings, bool isPaused, CancellationToken cancellation)
    {
        DomainConfiguration configuration = DomainConfigurationReader.Read(DomainSettingsJson.Parse(settings), out IReadOnlyList<string> warnings);
        RefuseAnotherUuid(uuid, configuration);
        await RefuseNameOfOtherAsync(configuration.Name, cancellation).ConfigureAwait(false);
        ManagedDomain domain = Enter(uuid, settings, configuration, out bool isNew);
        await domain.Gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (domain.Record.Id is null)
            {
                await StartAsync(domain, isPaused, cancellation).ConfigureAwait(false);
                events.Add("domain.created", uuid, configuration.Name);
            }
        }
        catch (Exception exception)
        {
            Forget(domain);
            throw Refused(exception);
        }
        finally
        {
            domain.Gate.Release();
        }

        return new CreatedDomain(ViewOf(control.Domains.Get(domain.Record.Id!.Value), configuration.Name), isNew, warnings);
    }

    public Task PauseAsync(string domain, CancellationToken cancellation) => OnAsync(domain, "domain.paused", id => control.Domains.Pause(id), cancellation);

    public Task UnpauseAsync(string domain, CancellationToken cancellation) => OnAsync(domain, "domain.unpaused", id => control.Domains.Unpause(id), cancellation);

    public async Task ShutdownAsync(string domain, ShutdownRequest request, CancellationToken cancellation)
    {
        DomainView view = await NotDomain0Async(domain, cancellation).ConfigureAwait(false);
        if (view.State is DomainState.Shutdown or DomainState.Crashed or DomainState.Dying)
        {
            throw new DomainServiceException(Refusal.Conflict, $"domain '{view.Name}' has ended already; destroy it to have its memory back");
        }

        await nodes.ControlAsync((ushort)view.Id!, request == ShutdownRequest.Reboot ? "reboot" : "poweroff", cancellation).ConfigureAwait(false);
    }

    public async Task DestroyAsync(string domain, CancellationToken cancellation)
    {
        if (Find(domain) is { } managed)
        {
            await managed.Gate.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                if (!managed.IsGone)
                {
                    await maker.EndAsync(managed.Record, isEnd: true).ConfigureAwait(false);
                    Forget(managed);
                    events.Add("domain.ended", managed.Record.Uuid, managed.Record.Name, "destroyed");
                }
            }
            catch (XenException exception)
            {
                throw Refused(exception);
            }
            finally
            {
                managed.Gate.Release();
            }
        }
        else
        {
            DomainView view = await NotDomain0Async(domain, cancellation).ConfigureAwait(false);
            await maker.EndAsync(new DomainRecord(view.Uuid, view.Name, default) { Id = (ushort)view.Id! }, isEnd: true).ConfigureAwait(false);
        }
    }

    public async Task ChangeAsync(string domain, DomainChange change, CancellationToken cancellation)
    {
        DomainView view = await BuiltAsync(domain, cancellation).ConfigureAwait(false);
        ushort id = (ushort)view.Id!;
        DomainConfiguration? configuration = Find(domain)?.Configuration;
        Check(change, view, configuration);
        try
        {
            if (change.Weight is not null || change.Cap is not null)
            {
                SchedulerShare now = control.Scheduling.GetShare(id) ?? throw new DomainServiceException(Refusal.Invalid, "the machine's scheduler has neither weights nor caps");
                control.Scheduling.SetShare(id, new SchedulerShare(change.Weight ?? now.Weight, change.Cap ?? now.Cap));
            }

            if (change.Memory is { } memory)
            {
                control.Domains.SetMaximumMemory(id, ((ulong)memory * 1024) + Slack);
                await nodes.SetMemoryTargetAsync(id, memory, cancellation).ConfigureAwait(false);
            }

            if (change.Vcpus is { } vcpus)
            {
                await nodes.SetVcpusAsync(id, vcpus, control.Domains.Get(id).MaximumVcpus, cancellation).ConfigureAwait(false);
            }
        }
        catch (XenException exception)
        {
            throw Refused(exception);
        }

        events.Add("domain.changed", view.Uuid, view.Name);
    }

    public async Task<IReadOnlyList<VcpuView>> ListVcpusAsync(string domain, CancellationToken cancellation)
        => ListVcpus((ushort)(await BuiltAsync(domain, cancellation).ConfigureAwait(false)).Id!);

    public IReadOnlyList<VcpuView> ListVcpus(ushort id)
    {
        try
        {
            return [.. Enumerable.Range(0, control.Domains.Get(id).MaximumVcpus).Select(number => ViewOf(id, control.Vcpus.Get(id, number)))];
        }
        catch (XenException exception)
        {
            throw Refused(exception);
        }
    }

    public ConsoleRingUse? ReadConsoleRing(Guid uuid) => consoles.ReadRing(uuid);

    public async Task<IGuestConsole> ConsoleAsync(string domain, CancellationToken cancellation)
    {
        Guid uuid = Find(domain)?.Record.Uuid ?? (Guid.TryParseExact(domain, "D", out Guid named) ? named : (await GetAsync(domain, cancellation).ConfigureAwait(false)).Uuid);
        return consoles.Find(uuid) ?? throw new DomainServiceException(Refusal.NotFound, $"of domain '{domain}' no console is kept: this daemon has not made it");
    }

    private static void RefuseAnotherUuid(Guid uuid, DomainConfiguration configuration)
    {
        if (configuration.Uuid is not null && configuration.Uuid != uuid)
        {
            throw new DomainServiceException(Refusal.Invalid, $"the configuration has the uuid {configuration.Uuid}, the request {uuid}; leave it out of the configuration");
        }
    }

    private async Task RefuseNameOfOtherAsync(string name, CancellationToken cancellation)
    {
        HashSet<Guid> own = [.. Snapshot().Select(domain => domain.Record.Uuid)];
        foreach (DomainInformation other in control.Domains.List().Where(domain => !own.Contains(domain.Uuid)))
        {
            if (await NameOfOtherAsync(other.Id, cancellation).ConfigureAwait(false) == name)
            {
                throw NameIsTaken(name);
            }
        }
    }

    private static DomainServiceException NameIsTaken(string name)
        => new(Refusal.Conflict, $"there is a domain '{name}' already; choose another name, or destroy that one");

    private static void Check(DomainChange change, DomainView view, DomainConfiguration? configuration)
    {
        int most = configuration?.MaximumMemory ?? (int)Math.Min(view.MaximumMemoryKiB / 1024, int.MaxValue);
        string? problem = change switch
        {
            { Memory: { } memory } when memory < 1 || memory > most => $"'memory' is a number of MiB from 1 to {most}, the domain's maxmem, not {memory}",
            { Vcpus: { } vcpus } when vcpus < 1 || vcpus > (configuration?.MaximumVcpus ?? int.MaxValue) => $"'vcpus' is a number from 1 to {configuration?.MaximumVcpus}, the domain's maxvcpus, not {vcpus}",
            { Weight: < 1 or > ushort.MaxValue } => $"'weight' is a number from 1 to {ushort.MaxValue}, not {change.Weight}",
            { Cap: < 0 or > ushort.MaxValue } => $"'cap' is a number of percent of one processor, 0 for no cap, not {change.Cap}",
            { Memory: null, Vcpus: null, Weight: null, Cap: null } => "nothing is to change: give memory, vcpus, weight or cap",
            _ => null,
        };
        if (problem is not null)
        {
            throw new DomainServiceException(Refusal.Invalid, problem);
        }
    }

    /// <summary>The domain of that uuid: a new one, or the one that has it with the same settings.</summary>
    private ManagedDomain Enter(Guid uuid, JsonElement settings, DomainConfiguration configuration, out bool isNew)
    {
        lock (_lock)
        {
            isNew = false;
            if (_domains.TryGetValue(uuid, out ManagedDomain? there))
            {
                return JsonElement.DeepEquals(there.Record.Settings, settings)
                    ? there
                    : throw new DomainServiceException(Refusal.Conflict, $"there is a domain with the uuid {uuid} and other settings; choose another uuid, or destroy that one");
            }

            if (_domains.Values.Any(domain => domain.Record.Name == configuration.Name))
            {
                throw NameIsTaken(configuration.Name);
            }

            isNew = true;
            ManagedDomain fresh = new(new DomainRecord(uuid, configuration.Name, settings.Clone()), configuration);
            records.Save(fresh.Record);
            _domains.Add(uuid, fresh);
            return fresh;
        }
    }

    private async Task StartAsync(ManagedDomain domain, bool isPaused, CancellationToken cancellation)
    {
        DomainRecord record = await maker.MakeAsync(domain.Record, domain.Configuration, cancellation).ConfigureAwait(false);
        ushort id = record.Id!.Value;
        try
        {
            SetSoftAffinity(id, domain.Configuration);
            records.Save(record);
            domain.Record = record;
            if (!isPaused)
            {
                control.Domains.Unpause(id);
            }
        }
        catch
        {
            await maker.EndAsync(record, isEnd: true).ConfigureAwait(false);
            throw;
        }
    }

    private void SetSoftAffinity(ushort id, DomainConfiguration configuration)
    {
        IReadOnlyList<CpuList> lists = configuration.SoftAffinity;
        if (lists.Count > 0)
        {
            IReadOnlyList<int> places = [.. control.Machine.GetTopology().Select(place => (int)(place?.Node ?? uint.MaxValue))];
            for (int vcpu = 0; vcpu < configuration.MaximumVcpus; vcpu++)
            {
                control.Vcpus.SetAffinity(id, vcpu, lists[Math.Min(vcpu, lists.Count - 1)].Resolve(places), isHard: false);
            }
        }
    }

    /// <summary>Why a domain has ended, or null.</summary>
    private static string? EndOf(DomainInformation? found, DomainRecord record)
    {
        if (found is null || found.Uuid != record.Uuid || (found.State & DomainStates.Dying) != 0)
        {
            return "destroyed";
        }

        return found.ShutdownReason switch
        {
            null or ShutdownReason.Suspend => null,
            ShutdownReason.PowerOff => "poweroff",
            ShutdownReason.Reboot or ShutdownReason.SoftReset => "reboot",
            ShutdownReason.Watchdog => "watchdog",
            _ => "crash",
        };
    }

    private static DomainAction ActionFor(string reason, DomainConfiguration configuration) => reason switch
    {
        "poweroff" => configuration.OnPoweroff,
        "reboot" => configuration.OnReboot,
        "watchdog" => configuration.OnWatchdog,
        "crash" => configuration.OnCrash,
        _ => DomainAction.Destroy,
    };

    private Task HandleEndAsync(ManagedDomain domain, ushort id, string reason, CancellationToken cancellation)
    {
        return GuardedAsync(domain, async () =>
        {
            if (domain.Record.Id != id || domain.Record.Ended is not null)
            {
                return;
            }

            events.Add("domain.ended", domain.Record.Uuid, domain.Record.Name, reason);
            log($"domain '{domain.Record.Name}' has ended: {reason}");
            switch (ActionFor(reason, domain.Configuration))
            {
                case DomainAction.Preserve:
                    Keep(domain, domain.Record with { Ended = reason });
                    break;
                case DomainAction.RenameRestart:
                    await RenameAsync(domain, reason, cancellation).ConfigureAwait(false);
                    await RestartAsync(domain, cancellation).ConfigureAwait(false);
                    break;
                case DomainAction.Restart:
                    await maker.EndAsync(domain.Record, isEnd: false).ConfigureAwait(false);
                    await RestartAsync(domain, cancellation).ConfigureAwait(false);
                    break;
                default:
                    await maker.EndAsync(domain.Record, isEnd: true).ConfigureAwait(false);
                    Forget(domain);
                    break;
            }
        }, cancellation);
    }

    /// <summary>Does something with a domain that nobody waits for; when it fails, the domain is given up.</summary>
    private async Task GuardedAsync(ManagedDomain domain, Func<Task> action, CancellationToken cancellation)
    {
        await domain.Gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (!domain.IsGone)
            {
                await action().ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Forget(domain);
            await consoles.DetachAsync(domain.Record.Uuid, isEnd: true).ConfigureAwait(false);
            events.Add("domain.failed", domain.Record.Uuid, domain.Record.Name, exception.Message);
            log($"domain '{domain.Record.Name}' is given up: {exception.Message}");
        }
        finally
        {
            domain.Gate.Release();
        }
    }

    private async Task RestartAsync(ManagedDomain domain, CancellationToken cancellation)
    {
        TimeSpan lived = clock.GetUtcNow() - domain.Record.Started;
        Keep(domain, domain.Record with { Id = null });
        if (lived < ShortestLife)
        {
            await Task.Delay(ShortestLife - lived, clock, cancellation).ConfigureAwait(false);
        }

        await StartAsync(domain, isPaused: false, cancellation).ConfigureAwait(false);
        events.Add("domain.restarted", domain.Record.Uuid, domain.Record.Name);
    }

    /// <summary>Gives what has ended another name and uuid, and keeps it.</summary>
    private async Task RenameAsync(ManagedDomain domain, string reason, CancellationToken cancellation)
    {
        DomainRecord old = domain.Record;
        ushort id = old.Id!.Value;
        Guid uuid = Guid.NewGuid();
        string name = UnusedName(old.Name);
        await consoles.DetachAsync(old.Uuid, isEnd: false).ConfigureAwait(false);
        control.Domains.SetUuid(id, uuid);
        await nodes.RenameAsync(id, old.Uuid, uuid, name, cancellation).ConfigureAwait(false);
        ManagedDomain kept = new(old with { Uuid = uuid, Name = name, Ended = reason }, domain.Configuration);
        lock (_lock)
        {
            _domains.Add(uuid, kept);
        }

        records.Save(kept.Record);
    }

    private string UnusedName(string name)
    {
        lock (_lock)
        {
            int number = 1;
            string candidate;
            do
            {
                candidate = string.Create(CultureInfo.InvariantCulture, $"{name}-{number++}");
            }
            while (_domains.Values.Any(domain => domain.Record.Name == candidate));
            return candidate;
        }
    }

    private void Keep(ManagedDomain domain, DomainRecord record)
    {
        records.Save(record);
        domain.Record = record;
    }

    private void Forget(ManagedDomain domain)
    {
        lock (_lock)
        {
            domain.IsGone = true;
            devices.ForgetAddresses(domain.Record.Uuid, domain.Devices);
            if (_domains.GetValueOrDefault(domain.Record.Uuid) == domain)
            {
                _domains.Remove(domain.Record.Uuid);
                records.Remove(domain.Record.Uuid);
            }
        }
    }

    private async Task OnAsync(string domain, string kind, Action<ushort> action, CancellationToken cancellation)
    {
        DomainView view = await NotDomain0Async(domain, cancellation).ConfigureAwait(false);
        try
        {
            action((ushort)view.Id!);
        }
        catch (XenException exception)
        {
            throw Refused(exception);
        }

        events.Add(kind, view.Uuid, view.Name);
    }

    private async Task<DomainView> NotDomain0Async(string domain, CancellationToken cancellation)
    {
        DomainView view = await BuiltAsync(domain, cancellation).ConfigureAwait(false);
        return view.Id != Domain0 ? view : throw new DomainServiceException(Refusal.Invalid, "Domain 0 runs this daemon: it cannot be paused, ended or destroyed from here");
    }

    private async Task<DomainView> BuiltAsync(string domain, CancellationToken cancellation)
    {
        DomainView view = await GetAsync(domain, cancellation).ConfigureAwait(false);
        return view.Id is not null ? view : throw new DomainServiceException(Refusal.Conflict, $"domain '{view.Name}' is being made; try again when it is there");
    }

    private ManagedDomain[] Snapshot()
    {
        lock (_lock)
        {
            return [.. _domains.Values];
        }
    }

    /// <summary>The name of a domain that this daemon has not made: another toolstack's, or one that was started with the machine.</summary>
    private async Task<string> NameOfOtherAsync(ushort id, CancellationToken cancellation)
        => await nodes.NameOfAsync(id, cancellation).ConfigureAwait(false) ?? (id == Domain0 ? "Domain-0" : control.Domains.GetName(id) ?? $"(domain {id})");

    private ManagedDomain? Find(string domain) => Array.Find(Snapshot(), one => IsNamed(one.Record.Uuid, one.Record.Id, one.Record.Name, domain));

    private static bool IsNamed(Guid uuid, int? id, string name, string wanted)
        => name == wanted || uuid.ToString("D") == wanted || id?.ToString(CultureInfo.InvariantCulture) == wanted;

    private static DomainView ViewOf(DomainInformation found, string name)
    {
        DomainState state = found switch
        {
            { State: var flags } when (flags & DomainStates.Dying) != 0 => DomainState.Dying,
            { ShutdownReason: ShutdownReason.Crash or ShutdownReason.Watchdog } => DomainState.Crashed,
            { ShutdownReason: not null } => DomainState.Shutdown,
            { State: var flags } when (flags & DomainStates.Paused) != 0 => DomainState.Paused,
            { State: var flags } when (flags & DomainStates.Blocked) != 0 => DomainState.Blocked,
            _ => DomainState.Running,
        };
        return new DomainView(found.Uuid, found.Id, name, state, (long)found.Pages * 4, (long)found.MaximumPages * 4, found.OnlineVcpus, found.ProcessorTime.Ticks * 100);
    }

    private VcpuView ViewOf(ushort domain, VcpuInformation vcpu)
    {
        string state = vcpu switch { { IsOnline: false } => "offline", { IsRunning: true } => "running", { IsBlocked: true } => "blocked", _ => "runnable" };
        return new VcpuView(
            vcpu.Vcpu, state, vcpu.IsOnline ? vcpu.Processor : null, vcpu.ProcessorTime.Ticks * 100,
            control.Vcpus.GetAffinity(domain, vcpu.Vcpu), control.Vcpus.GetAffinity(domain, vcpu.Vcpu, isHard: false),
            control.Vcpus.GetCounters(domain, vcpu.Vcpu) is { } counters
                ? new VcpuCountersView(counters.StolenTime.Ticks * 100, counters.Hypercalls, counters.PageFaults, counters.Upcalls) : null);
    }

    private static Exception Refused(Exception exception) => exception switch
    {
        NotEnoughMemoryException => new DomainServiceException(Refusal.NoRoom, exception.Message, exception),
        NoSuchDomainException => new DomainServiceException(Refusal.NotFound, exception.Message, exception),
        DomainBuildException { InnerException: NotEnoughMemoryException } => new DomainServiceException(Refusal.NoRoom, exception.Message, exception),
        KernelException or BootDiskException or FormatException => new DomainServiceException(Refusal.Invalid, exception.Message, exception),
        DomainBuildException or XenException or DeviceException => new DomainServiceException(Refusal.Failed, exception.Message, exception),
        _ => exception,
    };
}
