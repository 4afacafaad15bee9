// Domain 0's drivers and a guest's, as far as xenstore sees them.
using System.Collections.Concurrent;
using System.Net;
using Xenod.Devices;
using Xenod.Networks;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Xenstore;

namespace Xenolith.Toolstack.Tests.Domains;

/// <summary>Answers to what is written below <c>backend</c> as the kernel does, with guests that have a driver and let go when they are asked.</summary>
internal sealed class FakeBackEnds(IXenstore store)
{
    private const string Root = "/local/domain/0/backend";

    /// <summary>Devices whose driver has closed; it does not say so again.</summary>
    internal ConcurrentDictionary<DeviceAddress, bool> Closed { get; } = [];

    internal async Task Start(CancellationToken cancellation)
    {
        await using IXenstoreWatch watch = await store.WatchAsync(Root, cancellation);
        while (true)
        {
            string[] path = (await watch.NextAsync(cancellation)).Split('/');
            if (path.Length >= 8 && ushort.TryParse(path[6], out ushort domain) && uint.TryParse(path[7], out uint number))
            {
                await StepAsync(new DeviceAddress(path[5], domain, number), cancellation);
            }
        }
    }

    private async Task StepAsync(DeviceAddress device, CancellationToken cancellation)
    {
        string? text = await store.TryReadTextAsync($"{device.BackEnd}/state", cancellation);
        if (text is null)
        {
            return;
        }

        XenbusState state = (XenbusState)int.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
        bool isPlugged = await store.TryReadTextAsync($"{device.BackEnd}/hotplug-status", cancellation) == "connected";
        XenbusState next = (state, isPlugged) switch
        {
            (XenbusState.Initialising, _) => XenbusState.InitWait,
            (XenbusState.InitWait, true) => XenbusState.Connected,
            (XenbusState.Closing, _) when !Closed.ContainsKey(device) => XenbusState.Closed,
            _ => state,
        };
        if (next is XenbusState.Closed)
        {
            Closed[device] = true;
        }
        else if (next is XenbusState.InitWait)
        {
            Closed.TryRemove(device, out _);
        }

        if (next != state)
        {
            await store.WriteAsync($"{device.BackEnd}/state", (long)next, cancellation);
        }
    }
}

/// <summary>Disks that need no kernel; what is served now is in <see cref="Served"/>.</summary>
internal sealed class FakeDiskServers(string directory) : IDiskServers
{
    internal List<string> Served { get; } = [];

    /// <summary>What was in use when the daemon began.</summary>
    internal IReadOnlySet<string>? Used { get; private set; }

    public string IdentityOf(string target) => File.Exists(target) ? Path.GetFullPath(target) : throw new IOException($"there is no {target}");

    public Task<IServedDisk> ServeAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        IdentityOf(disk.Target);
        Served.Add(disk.Target);
        return Task.FromResult<IServedDisk>(new FakeDisk(this, disk.Target));
    }

    public Task ReleaseAsync(string path)
    {
        Served.Remove(path);
        return Task.CompletedTask;
    }

    public Task ReleaseAllButAsync(IReadOnlySet<string> used)
    {
        Used = used;
        return Task.CompletedTask;
    }

    internal string Make(string name)
    {
        string path = Path.Combine(directory, name);
        File.WriteAllBytes(path, new byte[4096]);
        return path;
    }

    private sealed class FakeDisk(FakeDiskServers servers, string target) : IServedDisk
    {
        public string Path => target;

        public string Number => "7:0";

        public ValueTask DisposeAsync()
        {
            servers.Served.Remove(target);
            return ValueTask.CompletedTask;
        }
    }
}

/// <summary>Bridges and a packet filter that only note what is asked of them.</summary>
internal sealed class FakeNetworkHost : INetworkHost
{
    internal List<string> Scripts { get; } = [];

    internal List<string> Joined { get; } = [];

    internal string? Failure { get; set; }

    internal FilterState State { get; set; } = new([], []);

    /// <summary>The rules of each chain.</summary>
    internal Dictionary<string, string[]> Chains { get; } = [];

    public Task PrepareAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>The bridges of routed interfaces.</summary>
    internal List<string> Routed { get; } = [];

    public bool IsBridge(string name) => Bridges().Contains(name);

    public IReadOnlyList<string> Bridges() => ["xenbr0", .. Routed];

    public Task RouteAsync(string bridge, string gateway, IReadOnlyList<IPAddress> addresses, CancellationToken cancellation)
    {
        if (gateway != "eth0")
        {
            throw new IOException($"there is no network device '{gateway}'");
        }

        Routed.Add(bridge);
        return Task.CompletedTask;
    }

    public Task UnrouteAsync(string bridge)
    {
        Routed.Remove(bridge);
        return Task.CompletedTask;
    }

    public Task JoinAsync(string device, string name, string bridge, int? mtu, string script, CancellationToken cancellation)
    {
        Scripts.Add(script);
        if (Failure is { } failure)
        {
            throw new IOException(failure);
        }

        Joined.Add($"{device} {name} {bridge}");
        return Task.CompletedTask;
    }

    public Task FilterAsync(string script, CancellationToken cancellation)
    {
        Scripts.Add(script);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<(string Rule, long Packets, long Bytes)>> CountersAsync(string chain, CancellationToken cancellation)
        => Task.FromResult<IReadOnlyList<(string Rule, long Packets, long Bytes)>>([("lock: a foreign address", 1, 60), .. Chains.GetValueOrDefault(chain, []).Select(rule => (rule, 2L, 120L))]);

    public Task<FilterState> ReadFilterAsync(CancellationToken cancellation) => Task.FromResult(State);
}
