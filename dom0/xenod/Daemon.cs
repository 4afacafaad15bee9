// The daemon as a whole: what it is made of, in the order in which it starts.
using Microsoft.AspNetCore.Builder;
using Xenod.Consoles;
using Xenod.Devices;
using Xenod.Domains;
using Xenod.Events;
using Xenod.Http;
using Xenod.Machine;
using Xenod.Networks;
using Xenod.Xenstore;
using Xenolith.Abi;
using Xenolith.Toolstack.BootDisks;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.EventChannels;
using Xenolith.Toolstack.Grants;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Xenstore;

namespace Xenod;

/// <summary>Serves xenstore, consoles, domains and the HTTP interface until it is told to stop; domains go on without it.</summary>
internal static class Daemon
{
    /// <summary>Runs until cancelled.</summary>
    /// <param name="options">What it is told.</param>
    /// <param name="log">Told what happens.</param>
    /// <param name="ready">Told when all is served.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="XenException">There is no hypervisor, or another daemon has what only one can have.</exception>
    /// <exception cref="IOException">A socket or a file cannot be had.</exception>
    internal static async Task RunAsync(DaemonOptions options, Action<string> log, Action<string> ready, CancellationToken cancellation)
    {
        KernelInterfaces.Load();
        TimeProvider clock = TimeProvider.System;
        using ControlInterface control = ControlInterface.Open();
        using IGrants? grants = OpenGrants(log);
        await using IEventChannels ports = IEventChannels.Open();
        await using IEventPort ends = ports.BindVirtualIrq(VirtualIrq.DomainException);
        await using XenstoreService server = XenstoreService.Start(options.Xenstore, new XenstoreHost(control, grants, ports), log);
        await using IXenstore store = await XenstoreClient.ConnectSocketAsync(options.Xenstore.Socket, cancellation);
        EventLog events = new(clock);
        await using ConsoleService consoles = new(options.Consoles, control.Hypervisor, grants, ports, clock);
        DomainNodes nodes = new(store);
        DiskServers disks = new();
        DomainDevices devices = MakeDevices(options, store, disks, log);
        BootLoader loader = new(disks, new BootFileStore(options.BootFiles));
        DomainMaker maker = new(control, new DomainBuilder(control, new KernelCache(options.Kernels)), store, nodes, consoles, devices, loader, clock);
        DomainManager manager = new(control, maker, nodes, devices, consoles, new DomainRecords(options.State), events, clock, log);
        await manager.AdoptAsync(cancellation);

        ApiOptions api = new(options.ApiSocket, options.ApiAddress, options.ApiToken);
        await using WebApplication http = ApiServer.Create(api, manager, new MachineService(control), events);
        await ApiServer.StartAsync(http, api, cancellation);
        ready($"xenstore listens at {options.Xenstore.Socket}, HTTP at {options.ApiSocket}");
        Task first = await Task.WhenAny(manager.RunAsync(cancellation), LookAtEndsAsync(ends, server, manager, cancellation), server.Completion);
        await http.StopAsync(CancellationToken.None);
        if (!cancellation.IsCancellationRequested)
        {
            await first;
        }
    }

    /// <summary>Serves xenstore's socket alone until cancelled, for tools that want a xenstore where no hypervisor is.</summary>
    /// <exception cref="IOException">The socket or the journal cannot be had.</exception>
    internal static async Task RunXenstoreAsync(XenstoreOptions options, Action<string> log, Action<string> ready, CancellationToken cancellation)
    {
        await using XenstoreService server = XenstoreService.Start(options, null, log);
        ready($"xenstore listens at {options.Socket}");
        await (await Task.WhenAny(server.Completion, Task.Delay(Timeout.Infinite, cancellation))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static DomainDevices MakeDevices(DaemonOptions options, IXenstore store, DiskServers disks, Action<string> log)
    {
        DeviceBus bus = new(store);
        AddressBook addresses = new(options.Network.Hosts, options.Network.Network);
        return new DomainDevices(new DiskService(store, bus, disks), new InterfaceService(bus, new NetworkHost(options.Network, addresses, log), addresses, options.Network, log));
    }

    // Without the module, pages are mapped by their frames.
    private static IGrants? OpenGrants(Action<string> log)
    {
        try
        {
            return IGrants.Open();
        }
        catch (HypervisorUnavailableException exception)
        {
            log($"rings are mapped by their frames: {exception.Message}");
            return null;
        }
    }

    private static async Task LookAtEndsAsync(IEventPort ends, XenstoreService server, DomainManager manager, CancellationToken cancellation)
    {
        while (true)
        {
            await ends.WaitAsync(cancellation);
            server.DomainsChanged();
            manager.LookAgain();
        }
    }
}
