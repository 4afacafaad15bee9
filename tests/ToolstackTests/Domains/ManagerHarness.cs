// A whole daemon without its HTTP interface, on the hypervisor's own sources.
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Xenod.Consoles;
using Xenod.Devices;
using Xenod.Domains;
using Xenod.Events;
using Xenod.Networks;
using Xenod.Xenstore;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Consoles;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Tests.Support;
using Xenolith.Toolstack.Xenstore;
using Xenolith.UnitTests.Support;

namespace Xenolith.Toolstack.Tests.Domains;

/// <summary>One run of a daemon; the next one on the same machine finds what this one has left.</summary>
internal sealed class ManagerHarness : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly XenstoreService _server;
    private readonly ConsoleService _consoles;
    private readonly Task _kernel;
    private Task _running = Task.CompletedTask;

    private ManagerHarness(HostedMachine machine)
    {
        Machine = machine;
        Control = new ControlInterface(machine.Hypervisor);
        string Path(string name) => System.IO.Path.Combine(machine.Directory, name);
        _server = XenstoreService.Start(
            new XenstoreOptions { Socket = Path("xenstore.sock"), Journal = Path("journal") }, new XenstoreHost(Control, null, machine.Ports), Log.Add);
        Store = XenstoreClient.ConnectSocketAsync(Path("xenstore.sock")).GetAwaiter().GetResult();
        _consoles = new ConsoleService(Path("consoles"), machine.Hypervisor, null, machine.Ports, machine.Clock);
        DomainNodes nodes = new(Store);
        Disks = new FakeDiskServers(machine.Directory);
        NetworkOptions network = new() { Hosts = Path("hosts"), Network = System.Net.IPNetwork.Parse("10.87.0.0/28") };
        AddressBook addresses = new(network.Hosts, network.Network);
        DeviceBus bus = new(Store, TimeSpan.FromSeconds(5));
        DomainDevices devices = new(new DiskService(Store, bus, Disks), new InterfaceService(bus, Network, addresses, network, _ => { }));
        BackEnds = new FakeBackEnds(Store);
        _kernel = BackEnds.Start(_stop.Token);
        DomainMaker maker = new(Control, new DomainBuilder(Control, new KernelCache(Path("kernels"))), Store, nodes, _consoles, devices, new BootLoader(Disks, new BootFileStore(Path("boot"))), machine.Clock);
        Manager = new DomainManager(Control, maker, nodes, devices, _consoles, new DomainRecords(Path("domains")), Events = new EventLog(machine.Clock), machine.Clock, Log.Add);
    }

    internal HostedMachine Machine { get; }

    internal ControlInterface Control { get; }

    internal IXenstore Store { get; }

    internal EventLog Events { get; }

    internal FakeBackEnds BackEnds { get; }

    internal FakeDiskServers Disks { get; }

    internal FakeNetworkHost Network { get; } = new();

    internal DomainManager Manager { get; }

    internal List<string> Log { get; } = [];

    /// <summary>Starts a daemon.</summary>
    /// <param name="machine">Where.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="prepare">Puts Domain 0 into the state in which the daemon finds it.</param>
    internal static async Task<ManagerHarness> StartAsync(HostedMachine machine, CancellationToken cancellation, Action<ManagerHarness>? prepare = null)
    {
        ManagerHarness harness = new(machine);
        prepare?.Invoke(harness);
        await harness.Manager.AdoptAsync(cancellation);
        harness._running = harness.Manager.RunAsync(harness._stop.Token);
        return harness;
    }

    /// <summary>Waits until a domain is as wanted; looks again at each event.</summary>
    internal async Task<DomainView?> UntilAsync(string name, Func<DomainView?, bool> isWanted, CancellationToken cancellation)
    {
        while (true)
        {
            DomainView? view = (await Manager.ListAsync(cancellation)).FirstOrDefault(domain => domain.Name == name);
            if (isWanted(view))
            {
                return view;
            }

            Machine.Clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _kernel.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _consoles.DisposeAsync();
        await Store.DisposeAsync();
        await _server.DisposeAsync();
        _stop.Dispose();
    }
}

/// <summary>A machine with the hypervisor, Domain 0, a kernel file, and directories for daemons.</summary>
internal sealed class HostedMachine : IDisposable
{
    internal HostedMachine()
    {
        Kernel = Path.Combine(Directory, "vmlinuz");
        byte[] elf = KernelFile.WithNotes();
        File.WriteAllBytes(Kernel, KernelFile.BzImage(Packer.Gzip(elf), elf.Length));
    }

    internal string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("daemon").FullName;

    internal HostedHypervisor Hypervisor { get; } = new(96);

    internal FakePorts Ports { get; } = new();

    internal FakeTimeProvider Clock { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    internal string Kernel { get; }

    internal JsonElement Settings(string name, string more = "") => JsonDocument.Parse($$"""{"name": "{{name}}", "kernel": "{{Kernel}}", "memory": 24{{more}}}""").RootElement;

    /// <summary>Does what a guest does that prints.</summary>
    internal void Print(ControlInterface control, DomainRecord record, string text)
    {
        using ForeignMapping page = control.Hypervisor.Map(record.Id!.Value, [record.ConsoleFrame], isWritable: true);
        Span<byte> bytes = page.Page(0);
        uint produced = BitConverter.ToUInt32(bytes[3084..]);
        foreach (byte b in Encoding.ASCII.GetBytes(text))
        {
            bytes[ConsoleRing.InputSize + (int)(produced++ % ConsoleRing.OutputSize)] = b;
        }

        BitConverter.TryWriteBytes(bytes[3084..], produced);
    }

    internal DomainRecord Record(Guid uuid) => new DomainRecords(Path.Combine(Directory, "domains")).Load().Single(record => record.Uuid == uuid);

    internal bool HasRecords => new DomainRecords(Path.Combine(Directory, "domains")).Load().Count > 0;

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
