// Domains in the daemon's hands, on the hypervisor's own sources.
using System.Text;
using System.Text.Json;
using Xenod.Consoles;
using Xenod.Domains;
using Xenolith.Abi;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Tests.Support;
using Xenolith.Toolstack.Xenstore;

namespace Xenolith.Toolstack.Tests.Domains;

[Collection(MachineCollection.Name)]
public sealed class DomainManagerTests : IAsyncLifetime
{
    private readonly HostedMachine _machine = new();
    private readonly Guid _uuid = Guid.NewGuid();
    private ManagerHarness _daemon = null!;
    private ulong _free;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private DomainManager Manager => _daemon.Manager;

    public async ValueTask InitializeAsync()
    {
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        GrowTables(_daemon.Control);
        _free = HostedHypervisor.FreeFrames;
    }

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        _machine.Dispose();
    }

    [Fact]
    public async Task ANewDomainRunsAndHasItsNodesAndItsConsole()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web", ", \"maxmem\": 32, \"extra\": \"quiet\""), false, Cancellation);
        Assert.True(created.IsNew);
        Assert.Equal((_uuid, "web", 24 * 1024L), (created.Domain.Uuid, created.Domain.Name, created.Domain.MemoryKiB));
        Assert.NotEqual(DomainState.Paused, created.Domain.State);
        string home = $"/local/domain/{created.Domain.Id}";
        Assert.Equal("web", await _daemon.Store.ReadTextAsync($"{home}/name", Cancellation));
        Assert.Equal($"/vm/{_uuid:D}", await _daemon.Store.ReadTextAsync($"{home}/vm", Cancellation));
        Assert.Equal("32768", await _daemon.Store.ReadTextAsync($"{home}/memory/static-max", Cancellation));
        Assert.Equal("quiet", await _daemon.Store.ReadTextAsync($"/vm/{_uuid:D}/image/cmdline", Cancellation));
        uint id = (uint)created.Domain.Id!;
        Assert.Equal([XenstorePermission.Owner(0), XenstorePermission.Reader(id)], await _daemon.Store.GetPermissionsAsync($"{home}/memory/target", Cancellation));
        Assert.Equal([XenstorePermission.Owner(id)], await _daemon.Store.GetPermissionsAsync($"{home}/control/shutdown", Cancellation));
        Assert.True(await _daemon.Store.IsIntroducedAsync(id, Cancellation));

        DomainRecord record = _machine.Record(_uuid);
        IGuestConsole console = await Manager.ConsoleAsync("web", Cancellation);
        await SayAsync(record, console, "hello");
        Assert.Equal("hello", Read(console));
    }

    [Fact]
    public async Task ADestroyedDomainLeavesItsConsolesLogAndNothingElse()
    {
        JsonElement settings = _machine.Settings("web");
        CreatedDomain created = await Manager.CreateAsync(_uuid, settings, false, Cancellation);
        IGuestConsole console = await Manager.ConsoleAsync("web", Cancellation);
        _machine.Print(_daemon.Control, _machine.Record(_uuid), "last words");
        await Manager.DestroyAsync("web", Cancellation);
        Assert.Equal("last words", Read(await Manager.ConsoleAsync(_uuid.ToString("D"), Cancellation)));
        Assert.True(console.Ended.IsCompleted);
        await AssertNothingIsLeftAsync(created.Domain.Id!.Value);
    }

    [Fact]
    public async Task AskingAgainFindsTheSameDomainAndOtherSettingsAreRefused()
    {
        JsonElement settings = _machine.Settings("web");
        CreatedDomain first = await Manager.CreateAsync(_uuid, settings, false, Cancellation);
        CreatedDomain second = await Manager.CreateAsync(_uuid, settings, false, Cancellation);
        Assert.False(second.IsNew);
        Assert.Equal(first.Domain.Id, second.Domain.Id);
        await RefusedAsync(Refusal.Conflict, "other settings", () => Manager.CreateAsync(_uuid, _machine.Settings("other"), false, Cancellation));
        await RefusedAsync(Refusal.Conflict, "there is a domain 'web' already", () => Manager.CreateAsync(Guid.NewGuid(), settings, false, Cancellation));

        ushort other = _daemon.Control.Domains.Create(new DomainSettings());
        _machine.Hypervisor.NameAsAtBoot(other, "alice"u8);
        Assert.Contains((other, "alice"), (await Manager.ListAsync(Cancellation)).Select(domain => ((ushort)domain.Id!.Value, domain.Name)));
        await RefusedAsync(Refusal.Conflict, "there is a domain 'alice' already", () => Manager.CreateAsync(Guid.NewGuid(), _machine.Settings("alice"), false, Cancellation));
    }

    [Fact]
    public async Task TwoWhoAskAtOnceGetOneDomain()
    {
        JsonElement settings = _machine.Settings("web");
        CreatedDomain[] results = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Manager.CreateAsync(_uuid, settings, false, Cancellation))));
        Assert.Single(results, result => result.IsNew);
        Assert.Single(results.Select(result => result.Domain.Id).Distinct());
    }

    [Theory]
    [InlineData(", \"kernel\": \"/nowhere\"", nameof(Refusal.Invalid), "/nowhere")]
    [InlineData(", \"memory\": 4096", nameof(Refusal.NoRoom), "")]
    [InlineData(", \"memory\": 1", nameof(Refusal.Failed), "memory=1 is too little")]
    [InlineData(", \"cpus\": \"900\"", nameof(Refusal.Invalid), "none of this machine's")]
    [InlineData(", \"vif\": [\"bridge=none\"]", nameof(Refusal.Invalid), "no bridge")]
    public async Task WhatCannotBeMadeLeavesNothing(string more, string refusal, string message)
    {
        JsonElement settings = JsonDocument.Parse(_machine.Settings("web").GetRawText().TrimEnd('}') + more + "}").RootElement;
        await RefusedAsync(Enum.Parse<Refusal>(refusal), message, () => Manager.CreateAsync(_uuid, settings, false, Cancellation));
        await AssertNothingIsLeftAsync(1);
    }

    [Fact]
    public async Task ADomainThatPowersOffIsRemoved()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        End(created, ShutdownReason.PowerOff);
        await _daemon.UntilAsync("web", view => view is null && !_machine.HasRecords, Cancellation);
        await AssertNothingIsLeftAsync(created.Domain.Id!.Value);
    }

    [Fact]
    public async Task ADomainThatRebootsHasAnotherNumberAndTheSameNameUuidAndConsole()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        IGuestConsole console = await Manager.ConsoleAsync("web", Cancellation);
        await SayAsync(_machine.Record(_uuid), console, "one ");
        End(created, ShutdownReason.Reboot);
        DomainView? again = await _daemon.UntilAsync("web", view => view?.Id is { } id && id != created.Domain.Id, Cancellation);
        Assert.Equal(_uuid, again!.Uuid);
        Assert.False(console.Ended.IsCompleted);
        await SayAsync(_machine.Record(_uuid), console, "two");
        Assert.Equal("one two", Read(console));
        Assert.Null(await _daemon.Store.TryListAsync($"/local/domain/{created.Domain.Id}", Cancellation));
        await Manager.DestroyAsync("web", Cancellation);
        await AssertNothingIsLeftAsync(again.Id!.Value);
    }

    [Fact]
    public async Task ACrashedDomainIsKeptWhereItsOwnerSaysSo()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web", ", \"on_crash\": \"preserve\""), false, Cancellation);
        End(created, ShutdownReason.Crash);
        DomainView? kept = await _daemon.UntilAsync("web", view => view?.State == DomainState.Crashed && _machine.Record(_uuid).Ended == "crash", Cancellation);
        Assert.Equal(created.Domain.Id, kept!.Id);
        await RefusedAsync(Refusal.Conflict, "has ended already", () => Manager.ShutdownAsync("web", ShutdownRequest.Poweroff, Cancellation));
        await Manager.DestroyAsync("web", Cancellation);
        await AssertNothingIsLeftAsync(created.Domain.Id!.Value);
    }

    [Fact]
    public async Task ARenamedDomainKeepsItsMemoryBesideTheOneThatIsStartedAnew()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web", ", \"on_crash\": \"rename-restart\""), false, Cancellation);
        End(created, ShutdownReason.Crash);
        DomainView? again = await _daemon.UntilAsync("web", view => view?.Id is { } id && id != created.Domain.Id, Cancellation);
        DomainView old = await Manager.GetAsync("web-1", Cancellation);
        Assert.Equal((created.Domain.Id, DomainState.Crashed), (old.Id, old.State));
        Assert.Equal(_uuid, again!.Uuid);
        await Manager.DestroyAsync("web", Cancellation);
        await Manager.DestroyAsync("web-1", Cancellation);
        await AssertNothingIsLeftAsync(again.Id!.Value);
    }

    [Fact]
    public async Task TheNextDaemonGoesOnWithWhatRuns()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        await SayAsync(_machine.Record(_uuid), await Manager.ConsoleAsync("web", Cancellation), "before ");
        await _daemon.DisposeAsync();
        _machine.Print(new ControlInterface(_machine.Hypervisor), _machine.Record(_uuid), "between ");
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        DomainView view = await Manager.GetAsync("web", Cancellation);
        Assert.Equal(created.Domain.Id, view.Id);
        IGuestConsole console = await Manager.ConsoleAsync("web", Cancellation);
        await SayAsync(_machine.Record(_uuid), console, "after");
        Assert.Equal("before between after", Read(console));
        Assert.True(await _daemon.Store.IsIntroducedAsync((uint)view.Id!, Cancellation));
        await Manager.DestroyAsync("web", Cancellation);
        await AssertNothingIsLeftAsync(view.Id!.Value);
    }

    [Fact]
    public async Task TheNextDaemonDoesForADomainThatEndedMeanwhileWhatIsToBeDone()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        await _daemon.DisposeAsync();
        new ControlInterface(_machine.Hypervisor).Domains.ForceShutdown((ushort)created.Domain.Id!, ShutdownReason.PowerOff);
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        await _daemon.UntilAsync("web", view => view is null && !_machine.HasRecords, Cancellation);
        await AssertNothingIsLeftAsync(created.Domain.Id!.Value);
    }

    [Fact]
    public async Task TheNextDaemonRemovesWhatWasHalfMade()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        DomainRecord record = _machine.Record(_uuid);
        await _daemon.DisposeAsync();
        new DomainRecords(Path.Combine(_machine.Directory, "domains")).Save(new DomainRecord(_uuid, record.Name, record.Settings));
        _daemon = await ManagerHarness.StartAsync(_machine, Cancellation);
        Assert.Contains(_daemon.Log, line => line.Contains("'web' was half made"));
        await AssertNothingIsLeftAsync(created.Domain.Id!.Value);
    }

    [Fact]
    public async Task DomainsArePausedAndChangedWithinWhatTheyMayHave()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web", ", \"maxmem\": 32, \"maxvcpus\": 2"), true, Cancellation);
        Assert.Equal(DomainState.Paused, created.Domain.State);
        await Manager.UnpauseAsync("web", Cancellation);
        Assert.NotEqual(DomainState.Paused, (await Manager.GetAsync("web", Cancellation)).State);
        await RefusedAsync(Refusal.Failed, "", () => Manager.UnpauseAsync("web", Cancellation));
        await Manager.PauseAsync("web", Cancellation);
        await Manager.ChangeAsync("web", new DomainChange(Memory: 30, Vcpus: 2, Weight: 512), Cancellation);
        string home = $"/local/domain/{created.Domain.Id}";
        Assert.Equal("30720", await _daemon.Store.ReadTextAsync($"{home}/memory/target", Cancellation));
        Assert.Equal("online", await _daemon.Store.ReadTextAsync($"{home}/cpu/1/availability", Cancellation));
        Assert.Equal(512, _daemon.Control.Scheduling.GetShare((ushort)created.Domain.Id!)!.Value.Weight);
        await RefusedAsync(Refusal.Invalid, "from 1 to 32", () => Manager.ChangeAsync("web", new DomainChange(Memory: 33), Cancellation));
        await RefusedAsync(Refusal.Invalid, "from 1 to 2", () => Manager.ChangeAsync("web", new DomainChange(Vcpus: 3), Cancellation));
        await RefusedAsync(Refusal.Invalid, "nothing is to change", () => Manager.ChangeAsync("web", new DomainChange(), Cancellation));
    }

    [Fact]
    public async Task AGuestIsAskedToEndByItsControlNode()
    {
        CreatedDomain created = await Manager.CreateAsync(_uuid, _machine.Settings("web"), false, Cancellation);
        await Manager.ShutdownAsync("web", ShutdownRequest.Reboot, Cancellation);
        Assert.Equal("reboot", await _daemon.Store.ReadTextAsync($"/local/domain/{created.Domain.Id}/control/shutdown", Cancellation));
    }

    [Fact]
    public async Task Domain0IsListedAndLeftAlone()
    {
        Assert.Equal("Domain-0", (await Manager.GetAsync("0", Cancellation)).Name);
        await RefusedAsync(Refusal.Invalid, "Domain 0 runs this daemon", () => Manager.DestroyAsync("Domain-0", Cancellation));
        await RefusedAsync(Refusal.NotFound, "there is no domain 'other'", () => Manager.DestroyAsync("other", Cancellation));
    }

    private void End(CreatedDomain created, ShutdownReason reason)
    {
        _daemon.Control.Domains.ForceShutdown((ushort)created.Domain.Id!, reason);
        Manager.LookAgain();
    }

    private async Task SayAsync(DomainRecord record, IGuestConsole console, string text)
    {
        long end = console.Log.End;
        _machine.Print(_daemon.Control, record, text);
        _machine.Ports.Fire(record.Id!.Value, record.ConsolePort);
        while (console.Log.End < end + text.Length)
        {
            await console.Log.WaitAsync(console.Log.End, Cancellation);
        }
    }

    private static string Read(IGuestConsole console)
    {
        byte[] text = new byte[4096];
        long position = 0;
        return Encoding.ASCII.GetString(text, 0, console.Log.Read(ref position, text));
    }

    private static async Task RefusedAsync(Refusal refusal, string message, Func<Task> action)
    {
        DomainServiceException exception = await Assert.ThrowsAsync<DomainServiceException>(action);
        Assert.Equal(refusal, exception.Refusal);
        Assert.Contains(message, exception.Message);
    }

    private async Task AssertNothingIsLeftAsync(int id)
    {
        Assert.Equal(["Domain-0"], (await Manager.ListAsync(Cancellation)).Select(domain => domain.Name));
        Assert.False(_machine.HasRecords);
        Assert.Null(await _daemon.Store.TryListAsync($"/local/domain/{id}", Cancellation));
        Assert.Empty(await _daemon.Store.TryListAsync("/vm", Cancellation) ?? []);
        Assert.False(await _daemon.Store.IsIntroducedAsync((uint)id, Cancellation));
        Assert.Equal(0, _machine.Ports.Count);
        Assert.Equal(0, _machine.Hypervisor.TakenSlots);
        Assert.Equal(_free, HostedHypervisor.FreeFrames);
    }

    /// <summary>The hypervisor's own tables grow as domains get new numbers, until numbers are used again, and keep that size.</summary>
    private static void GrowTables(ControlInterface control)
    {
        int last;
        int id = 0;
        do
        {
            last = id;
            id = control.Domains.Create(new DomainSettings { MaximumVcpus = 2 });
            control.Domains.MakeVcpus((ushort)id, 2);
            control.Domains.Destroy((ushort)id);
        }
        while (id > last);
    }
}
