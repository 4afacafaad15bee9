// Domain 0's bridges, interfaces and packet filter, by the programs of its distribution.
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Xenolith.Toolstack.Interop;
using Xenolith.Toolstack.Networks;

namespace Xenod.Networks;

/// <summary>Uses ip (iproute2), nft (nftables) and dnsmasq: why programs and not the kernel's own interface, docs/decisions says.</summary>
internal sealed class NetworkHost(NetworkOptions options, AddressBook addresses, Action<string> log) : INetworkHost
{
    private static readonly string[] s_modules = ["xen-netback", "bridge", "nf_tables", "nft_ct", "nft_nat", "nft_masq", "nft_fib_ipv4", "nft_fib_ipv6", "nft_limit", "nf_conntrack_bridge", "nft_meta_bridge"];

    private const string Ipv6 = "/proc/sys/net/ipv6/conf";
    private const string Devices = "/sys/class/net";

    /// <summary>Domain 0's on the bridges of routed interfaces: not the one that all interfaces have, which a bridge else takes from its member.</summary>
    private const string RouterMac = "fe:ff:ff:ff:ff:fe";

    private readonly SemaphoreSlim _gate = new(1);
    private bool _isReady;

    public async Task PrepareAsync(CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (!_isReady)
            {
                await MakeAsync(cancellation).ConfigureAwait(false);
                _isReady = true;
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    public bool IsBridge(string name) => Directory.Exists(Path.Combine(Devices, name, "bridge"));

    public IReadOnlyList<string> Bridges() => [.. Directory.GetDirectories(Devices).Select(path => Path.GetFileName(path)).Where(IsBridge)];

    public async Task RouteAsync(string bridge, string gateway, IReadOnlyList<IPAddress> addresses, CancellationToken cancellation)
    {
        if (!Directory.Exists(Path.Combine(Devices, gateway)))
        {
            throw new IOException($"there is no network device '{gateway}' in Domain 0; 'ip link' lists those that there are");
        }

        foreach (IPAddress address in addresses)
        {
            string family = address.AddressFamily == AddressFamily.InterNetworkV6 ? "-6" : "-4";
            if ((await ListAsync([family, "-j", "route", "show", "to", "exact", address.ToString()]).ConfigureAwait(false)) is [(_, var other), ..])
            {
                throw new IOException($"the address {address} is routed to {other} already; choose another, or detach that interface");
            }
        }

        string mtu = (await File.ReadAllTextAsync(Path.Combine(Devices, gateway, "mtu"), cancellation).ConfigureAwait(false)).Trim();
        await IpAsync(["link", "add", "name", bridge, "address", RouterMac, "mtu", mtu, "type", "bridge", "stp_state", "0", "forward_delay", "0"], cancellation).ConfigureAwait(false);
        await IpAsync(["link", "set", "dev", bridge, "up"], cancellation).ConfigureAwait(false);

        // The guest takes all addresses of its network for neighbours. Domain 0 answers for those that lie elsewhere, at once.
        await File.WriteAllTextAsync($"/proc/sys/net/ipv4/neigh/{bridge}/proxy_delay", "0", cancellation).ConfigureAwait(false);
        await File.WriteAllTextAsync($"/proc/sys/net/ipv4/conf/{bridge}/proxy_arp", "1", cancellation).ConfigureAwait(false);
        if (addresses.Any(address => address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            await IpAsync(["-6", "address", "add", "fe80::1/64", "dev", bridge, "nodad"], cancellation).ConfigureAwait(false);
            await File.WriteAllTextAsync(Path.Combine(Ipv6, gateway, "proxy_ndp"), "1", cancellation).ConfigureAwait(false);
        }

        foreach (IPAddress address in addresses)
        {
            await IpAsync(["route", "add", address.ToString(), "dev", bridge], cancellation).ConfigureAwait(false);
            await IpAsync(["neighbour", "replace", "proxy", address.ToString(), "dev", gateway], cancellation).ConfigureAwait(false);
        }
    }

    public async Task UnrouteAsync(string bridge)
    {
        if (!IsBridge(bridge))
        {
            return;
        }

        foreach (string family in (string[])["-4", "-6"])
        {
            HashSet<string> routed = [.. (await ListAsync([family, "-j", "route", "show", "dev", bridge]).ConfigureAwait(false)).Select(route => route.Destination)];
            foreach ((string destination, string? device) in await ListAsync([family, "-j", "neighbour", "show", "proxy"]).ConfigureAwait(false))
            {
                if (device is not null && routed.Contains(destination))
                {
                    await IpAsync(["neighbour", "delete", "proxy", destination, "dev", device], CancellationToken.None).ConfigureAwait(false);
                }
            }
        }

        await IpAsync(["link", "delete", "dev", bridge], CancellationToken.None).ConfigureAwait(false);
    }

    public async Task JoinAsync(string device, string name, string bridge, int? mtu, string script, CancellationToken cancellation)
    {
        string size = (mtu ?? int.Parse(await File.ReadAllTextAsync($"/sys/class/net/{bridge}/mtu", cancellation).ConfigureAwait(false), CultureInfo.InvariantCulture)).ToString(CultureInfo.InvariantCulture);
        await IpAsync(["link", "set", "dev", device, "down"], cancellation).ConfigureAwait(false);
        if (name != device)
        {
            await IpAsync(["link", "set", "dev", device, "name", name], cancellation).ConfigureAwait(false);
        }

        await FilterAsync(script, cancellation).ConfigureAwait(false);

        // A bridge takes the lowest Ethernet address of its members as its own: this one is never that.
        await IpAsync(["link", "set", "dev", name, "address", "fe:ff:ff:ff:ff:ff", "mtu", size, "master", bridge, "up"], cancellation).ConfigureAwait(false);
    }

    public async Task FilterAsync(string script, CancellationToken cancellation) => await RunAsync("nft", ["-f", "-"], script, cancellation).ConfigureAwait(false);

    public async Task<IReadOnlyList<(string Rule, long Packets, long Bytes)>> CountersAsync(string chain, CancellationToken cancellation)
    {
        string json = await RunAsync("nft", ["-j", "list", "chain", "bridge", "xenolith", chain], null, cancellation).ConfigureAwait(false);
        List<(string, long, long)> counters = [];
        using JsonDocument document = JsonDocument.Parse(json);
        foreach (JsonElement item in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (!item.TryGetProperty("rule", out JsonElement rule) || !rule.TryGetProperty("comment", out JsonElement comment))
            {
                continue;
            }

            foreach (JsonElement part in rule.GetProperty("expr").EnumerateArray())
            {
                if (part.TryGetProperty("counter", out JsonElement counter) && counter.ValueKind == JsonValueKind.Object)
                {
                    counters.Add((comment.GetString() ?? "", counter.GetProperty("packets").GetInt64(), counter.GetProperty("bytes").GetInt64()));
                }
            }
        }

        return counters;
    }

    public async Task<FilterState> ReadFilterAsync(CancellationToken cancellation)
    {
        Task<string> MapAsync(string family, string name) => RunAsync("nft", ["-j", "list", "map", family, "xenolith", name], null, cancellation);
        try
        {
            return FilterState.Parse(
                await MapAsync("bridge", "senders").ConfigureAwait(false),
                [
                    ("tcp", await MapAsync("ip", "forward_tcp").ConfigureAwait(false)), ("udp", await MapAsync("ip", "forward_udp").ConfigureAwait(false)),
                    ("tcp", await MapAsync("ip6", "forward_tcp").ConfigureAwait(false)), ("udp", await MapAsync("ip6", "forward_udp").ConfigureAwait(false)),
                ]);
        }
        catch (IOException)
        {
            return new FilterState([], []);
        }
    }

    private async Task MakeAsync(CancellationToken cancellation)
    {
        foreach (string module in s_modules)
        {
            await Programs.TryLoadModuleAsync(module, cancellation).ConfigureAwait(false);
        }

        string bridge = options.Bridge;
        if (!IsBridge(bridge))
        {
            await IpAsync(["link", "add", "name", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0"], cancellation).ConfigureAwait(false);
        }

        string address = string.Create(CultureInfo.InvariantCulture, $"{addresses.Gateway}/{options.Network.PrefixLength}");
        await IpAsync(["address", "replace", address, "dev", bridge], cancellation).ConfigureAwait(false);
        await IpAsync(["link", "set", "dev", bridge, "up"], cancellation).ConfigureAwait(false);
        await File.WriteAllTextAsync("/proc/sys/net/ipv4/ip_forward", "1", cancellation).ConfigureAwait(false);
        bool hasIpv6 = Directory.Exists(Ipv6);
        if (hasIpv6)
        {
            await RouteIpv6Async(cancellation).ConfigureAwait(false);
        }

        await FilterAsync(FirewallScript.Base(options.Network, options.Network6, hasIpv6), cancellation).ConfigureAwait(false);
        StartAddressService(hasIpv6 && options.Network6 is not null);
    }

    private async Task RouteIpv6Async(CancellationToken cancellation)
    {
        if (options.Network6 is { } network)
        {
            string address = string.Create(CultureInfo.InvariantCulture, $"{options.Gateway6}/{network.PrefixLength}");
            await IpAsync(["-6", "address", "replace", address, "dev", options.Bridge, "nodad"], cancellation).ConfigureAwait(false);
        }

        // A kernel that routes takes its own routes from other routers only where it is told so again (Linux's Documentation/networking/ip-sysctl,
        // accept_ra); from the guests it takes none.
        const string EvenWhenRouting = "2";
        foreach (string card in Directory.GetDirectories(Ipv6))
        {
            string accepts = Path.Combine(card, "accept_ra");
            if ((await File.ReadAllTextAsync(accepts, cancellation).ConfigureAwait(false)).Trim() == "1")
            {
                await File.WriteAllTextAsync(accepts, Path.GetFileName(card) == options.Bridge ? "0" : EvenWhenRouting, cancellation).ConfigureAwait(false);
            }
        }

        await File.WriteAllTextAsync(Path.Combine(Ipv6, "all/forwarding"), "1", cancellation).ConfigureAwait(false);
    }

    /// <summary>The address service outlives the daemon; the next daemon starts it anew.</summary>
    private void StartAddressService(bool hasIpv6)
    {
        string pidFile = Path.Combine(options.Run, "dnsmasq.pid");
        if (File.Exists(pidFile) && int.TryParse(File.ReadAllText(pidFile).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int old))
        {
            Stop(old);
        }

        Directory.CreateDirectory(options.Hosts);
        StringBuilder configuration = new();
        foreach (string line in (string[])
        [
            $"interface={options.Bridge}", "except-interface=lo", "bind-interfaces", $"dhcp-range={options.Network.BaseAddress},static,1h", $"dhcp-hostsdir={options.Hosts}",
            "dhcp-authoritative", $"dhcp-leasefile={Path.Combine(options.Run, "dnsmasq.leases")}", $"pid-file={pidFile}", "user=root", "no-hosts",
            .. hasIpv6 ? (string[])["enable-ra", $"dhcp-range={options.Network6!.Value.BaseAddress},ra-only"] : [],
        ])
        {
            configuration.Append(line).Append('\n');
        }

        string file = Path.Combine(options.Run, "dnsmasq.conf");
        File.WriteAllText(file, configuration.ToString());
        try
        {
            using Process? process = Process.Start(new ProcessStartInfo("dnsmasq", [$"--conf-file={file}"]) { RedirectStandardError = true, RedirectStandardOutput = true });
            process!.WaitForExit();
            if (process.ExitCode != 0)
            {
                log($"guests are given no addresses: dnsmasq says {process.StandardError.ReadToEnd().Trim()}");
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            log("guests are given no addresses by DHCP: install the Debian package dnsmasq-base, and start xenod anew");
        }
    }

    private static void Stop(int pid)
    {
        try
        {
            using Process process = Process.GetProcessById(pid);
            if (process.ProcessName == "dnsmasq")
            {
                process.Kill();
                process.WaitForExit();
            }
        }
        catch (ArgumentException)
        {
            // It has ended already.
        }
    }

    /// <summary>What ip lists as JSON: where to, and by which device.</summary>
    private static async Task<IReadOnlyList<(string Destination, string? Device)>> ListAsync(string[] arguments)
    {
        using JsonDocument document = JsonDocument.Parse(await RunAsync("ip", arguments, null, CancellationToken.None).ConfigureAwait(false));
        return
        [
            .. document.RootElement.EnumerateArray().Select(entry
                => (entry.GetProperty("dst").GetString() ?? "", entry.TryGetProperty("dev", out JsonElement device) ? device.GetString() : null)),
        ];
    }

    private static Task IpAsync(string[] arguments, CancellationToken cancellation) => RunAsync("ip", arguments, null, cancellation);

    private static async Task<string> RunAsync(string program, string[] arguments, string? input, CancellationToken cancellation)
    {
        try
        {
            return await Programs.RunAsync(program, arguments, input, cancellation).ConfigureAwait(false);
        }
        catch (ProgramException exception)
        {
            throw new IOException(exception.Message, exception);
        }
    }
}
