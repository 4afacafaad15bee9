// The network interfaces of domains.
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using Xenod.Domains;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Networks;

namespace Xenod.Networks;

/// <summary>
/// Gives network interfaces with rules to domains and takes them away. What there is stands in xenstore and in Domain 0's kernel, so that a
/// daemon that is started anew finds it; the moving of packets is the kernel's (xen-netback, bridge, nftables).
/// </summary>
internal sealed class InterfaceService(DeviceBus bus, INetworkHost host, AddressBook addresses, NetworkOptions options, Action<string> log)
{
    private const string Kind = DeviceAddress.Interface;
    private const string MacNode = "mac";
    private const string BridgeNode = "bridge";
    private const string GatewayNode = "gatewaydev";
    private const string AddressNode = "ip";
    private const string DeviceNode = "xenolith-device";
    private const string RulesNode = "xenolith-rules";

    /// <summary>Gives an interface to a domain. When that fails, nothing is left of it.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="uuid">Its uuid, which the Ethernet address is made of.</param>
    /// <param name="name">Its name, which the DHCP server tells it.</param>
    /// <param name="index">Which of its interfaces.</param>
    /// <param name="wanted">What is wanted of it.</param>
    /// <param name="rules">Its firewall.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="DomainServiceException">It cannot be had as it is wanted.</exception>
    /// <exception cref="DeviceException">Domain 0's kernel does not serve it.</exception>
    internal async Task AttachAsync(ushort domain, Guid uuid, string name, uint index, InterfaceSpecification wanted, IReadOnlyList<FirewallRule> rules, CancellationToken cancellation)
    {
        DeviceAddress device = new(Kind, domain, index);
        if (await bus.BackEndStateAsync(device).ConfigureAwait(false) != XenbusState.Unknown)
        {
            throw new DomainServiceException(Refusal.Conflict, $"the domain has an interface {index} already");
        }

        string bridge = wanted.GatewayDevice is null ? wanted.Bridge ?? options.Bridge : RoutedBridge.NameOf(device);
        await AskAsync(index, () => host.PrepareAsync(cancellation)).ConfigureAwait(false);
        if (wanted.GatewayDevice is null && !host.IsBridge(bridge))
        {
            throw new DomainServiceException(Refusal.Invalid, $"interface {index}: there is no bridge '{bridge}' in Domain 0; make it with 'ip link add name {bridge} type bridge', or leave bridge= out for the private network");
        }

        PhysicalAddress mac = MacOf((uuid, index, wanted));
        FirewalledInterface one = new(
            wanted.Name ?? string.Create(CultureInfo.InvariantCulture, $"vif{domain}.{index}"), mac, AddressesOf(wanted, bridge, mac, name), rules, ServersOf(bridge));
        try
        {
            if (wanted.GatewayDevice is { } gateway)
            {
                await AskAsync(index, () => host.RouteAsync(bridge, gateway, one.Addresses, cancellation)).ConfigureAwait(false);
            }

            await bus.PublishAsync(device, FrontEnd(index, wanted, one), BackEnd(index, wanted, bridge, one), cancellation).ConfigureAwait(false);
            await bus.WaitForBackEndAsync(device, cancellation).ConfigureAwait(false);
            string made = string.Create(CultureInfo.InvariantCulture, $"vif{domain}.{index}");
            await AskAsync(index, () => host.JoinAsync(made, one.Name, bridge, wanted.Mtu, FirewallScript.Apply(one), cancellation)).ConfigureAwait(false);
            await bus.WriteBackEndAsync(device, [("hotplug-status", "connected")], cancellation).ConfigureAwait(false);
        }
        catch
        {
            await RemoveAsync(device).ConfigureAwait(false);
            addresses.Forget(mac);
            throw;
        }
    }

    /// <summary>Takes an interface away from a domain.</summary>
    internal async Task DetachAsync(ushort domain, uint index, bool isForced, CancellationToken cancellation)
    {
        DeviceAddress device = new(Kind, domain, index);
        if (await bus.BackEndStateAsync(device).ConfigureAwait(false) == XenbusState.Unknown)
        {
            throw new DomainServiceException(Refusal.NotFound, $"the domain has no interface {index}; list its interfaces for those that it has");
        }

        FirewalledInterface? one = await DescribeAsync(device, cancellation).ConfigureAwait(false);
        if (isForced)
        {
            await RemoveAsync(device).ConfigureAwait(false);
        }
        else
        {
            await bus.CloseAsync(device, cancellation).ConfigureAwait(false);
            await ForgetAsync(device, one).ConfigureAwait(false);
        }

        if (one is not null)
        {
            addresses.Forget(one.Mac);
        }
    }

    /// <summary>Takes interfaces away from a domain.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="kept">The numbers of those that stay.</param>
    internal async Task RemoveAllButAsync(ushort domain, IReadOnlySet<uint> kept)
    {
        foreach (DeviceAddress device in await bus.ListAsync(Kind, domain, CancellationToken.None).ConfigureAwait(false))
        {
            if (!kept.Contains(device.Number))
            {
                await RemoveAsync(device).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// Makes the packet filter as the interfaces of the domains want it, where a daemon was killed between the two: forgets interfaces that are no
    /// more, and gives those their rules that have others.
    /// </summary>
    /// <param name="domains">All domains with interfaces of this daemon's.</param>
    /// <param name="cancellation">Ends it.</param>
    internal async Task ReconcileFilterAsync(IEnumerable<ushort> domains, CancellationToken cancellation)
    {
        FilterState state = await host.ReadFilterAsync(cancellation).ConfigureAwait(false);
        List<FirewalledInterface> living = [];
        HashSet<string> bridges = [];
        foreach (ushort domain in domains)
        {
            foreach (DeviceAddress device in await bus.ListAsync(Kind, domain, cancellation).ConfigureAwait(false))
            {
                bridges.Add(RoutedBridge.NameOf(device));
                if (await DescribeAsync(device, cancellation).ConfigureAwait(false) is { } one)
                {
                    living.Add(one);
                }
            }
        }

        foreach (string name in state.Interfaces.Except(living.Select(one => one.Name)))
        {
            await FilterIfPossibleAsync(FirewallScript.Remove(name)).ConfigureAwait(false);
        }

        foreach (ForwardedPort port in state.Forwarded.ExceptBy(living.SelectMany(one => one.Addresses), port => port.Address))
        {
            await FilterIfPossibleAsync(FirewallScript.Unforward([port])).ConfigureAwait(false);
        }

        foreach (string bridge in host.Bridges().Where(RoutedBridge.IsName).Except(bridges))
        {
            await UnrouteAsync(bridge).ConfigureAwait(false);
        }

        foreach (FirewalledInterface one in living)
        {
            ForwardedPort[] own = [.. state.Forwarded.Where(port => one.Addresses.Contains(port.Address))];
            if (!await HasItsRulesAsync(one, own, cancellation).ConfigureAwait(false))
            {
                await FilterIfPossibleAsync(FirewallScript.Unforward(own) + FirewallScript.Apply(one)).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Frees all addresses but those of some interfaces.</summary>
    internal void ForgetAddressesBut(IEnumerable<(Guid Uuid, uint Index, InterfaceSpecification Wanted)> kept)
        => addresses.ForgetAllBut(kept.Select(MacOf));

    /// <summary>Frees the addresses of interfaces that are no more.</summary>
    internal void ForgetAddresses(IEnumerable<(Guid Uuid, uint Index, InterfaceSpecification Wanted)> gone)
    {
        foreach ((Guid Uuid, uint Index, InterfaceSpecification Wanted) one in gone)
        {
            addresses.Forget(MacOf(one));
        }
    }

    /// <summary>Gives an interface other rules, at once and all together.</summary>
    internal async Task SetRulesAsync(ushort domain, uint index, IReadOnlyList<FirewallRule> rules, CancellationToken cancellation)
    {
        DeviceAddress device = new(Kind, domain, index);
        FirewalledInterface old = await DescribeAsync(device, cancellation).ConfigureAwait(false)
            ?? throw new DomainServiceException(Refusal.NotFound, $"the domain has no interface {index}; list its interfaces for those that it has");
        await AskAsync(index, () => host.FilterAsync(FirewallScript.Unforward(FirewallScript.ForwardedPorts(old)) + FirewallScript.Apply(old with { Rules = rules }), cancellation)).ConfigureAwait(false);
        await bus.WriteBackEndAsync(device, [(RulesNode, Text(rules))], cancellation).ConfigureAwait(false);
    }

    /// <summary>The interfaces of a domain, with what their rules have counted.</summary>
    internal async Task<IReadOnlyList<InterfaceView>> ListAsync(ushort domain, CancellationToken cancellation)
    {
        List<InterfaceView> found = [];
        foreach (DeviceAddress device in await bus.ListAsync(Kind, domain, cancellation).ConfigureAwait(false))
        {
            if (await DescribeAsync(device, cancellation).ConfigureAwait(false) is not { } one)
            {
                continue;
            }

            bool isConnected = await bus.BackEndStateAsync(device).ConfigureAwait(false) == XenbusState.Connected;
            string bridge = await bus.BackEndValueAsync(device, BridgeNode, cancellation).ConfigureAwait(false) ?? "";
            string? gateway = await bus.BackEndValueAsync(device, GatewayNode, cancellation).ConfigureAwait(false);
            found.Add(new InterfaceView(
                device.Number, one.Name, AddressBook.TextOf(one.Mac), bridge, gateway, [.. one.Addresses.Select(address => address.ToString())], isConnected,
                [.. one.Rules.Select(rule => rule.Text)], await CountersAsync(one, cancellation).ConfigureAwait(false)));
        }

        return found;
    }

    private static PhysicalAddress MacOf((Guid Uuid, uint Index, InterfaceSpecification Wanted) one) => one.Wanted.Mac ?? AddressBook.MacOf(one.Uuid, one.Index);

    private static string Text(IReadOnlyList<FirewallRule> rules) => string.Join('\n', rules.Select(rule => rule.Text));

    private static IEnumerable<(string Name, string Value)> FrontEnd(uint index, InterfaceSpecification wanted, FirewalledInterface one)
    {
        yield return ("handle", index.ToString(CultureInfo.InvariantCulture));
        yield return (MacNode, AddressBook.TextOf(one.Mac));

        // For guests that look for it: what addresses they have.
        yield return (AddressNode, string.Join(' ', one.Addresses));
        yield return ("trusted", "1");
        if (wanted.Mtu is { } mtu)
        {
            yield return ("mtu", mtu.ToString(CultureInfo.InvariantCulture));
        }
    }

    private static IEnumerable<(string Name, string Value)> BackEnd(uint index, InterfaceSpecification wanted, string bridge, FirewalledInterface one)
    {
        yield return ("handle", index.ToString(CultureInfo.InvariantCulture));
        yield return (MacNode, AddressBook.TextOf(one.Mac));
        yield return (BridgeNode, bridge);

        // netback wants the node; nothing runs what it names.
        yield return ("script", "none");
        yield return ("type", "vif");
        yield return ("hotplug-status", "");
        yield return (AddressNode, string.Join(' ', one.Addresses));
        yield return (DeviceNode, one.Name);
        yield return (RulesNode, Text(one.Rules));
        if (wanted.GatewayDevice is { } gateway)
        {
            yield return (GatewayNode, gateway);
        }

        if (wanted.Rate is { } rate)
        {
            yield return ("rate", string.Create(CultureInfo.InvariantCulture, $"{rate.BytesPerInterval},{rate.IntervalMicroseconds}"));
        }
    }

    /// <summary>On the private network each interface has an address; on others those that the configuration names.</summary>
    private List<IPAddress> AddressesOf(InterfaceSpecification wanted, string bridge, PhysicalAddress mac, string name)
    {
        List<IPAddress> given = [.. wanted.Addresses.Select(address => IPAddress.Parse(address.Split('/')[0]))];
        if (bridge == options.Bridge)
        {
            IPAddress? own = given.Find(options.Network.Contains);
            IPAddress assigned = addresses.Assign(mac, name, own);
            if (own is null)
            {
                given.Insert(0, assigned);
            }

            if (options.Network6 is { } network6)
            {
                given.Add(FirewallScript.OwnAddress(network6.BaseAddress, mac));
            }
        }

        return given;
    }

    private async Task<FirewalledInterface?> DescribeAsync(DeviceAddress device, CancellationToken cancellation)
    {
        string? mac = await bus.BackEndValueAsync(device, MacNode, cancellation).ConfigureAwait(false);
        string? name = await bus.BackEndValueAsync(device, DeviceNode, cancellation).ConfigureAwait(false);
        if (mac is null || name is null)
        {
            return null;
        }

        string bridge = await bus.BackEndValueAsync(device, BridgeNode, cancellation).ConfigureAwait(false) ?? "";
        string given = await bus.BackEndValueAsync(device, AddressNode, cancellation).ConfigureAwait(false) ?? "";
        string rules = await bus.BackEndValueAsync(device, RulesNode, cancellation).ConfigureAwait(false) ?? "";
        return new FirewalledInterface(
            name, PhysicalAddress.Parse(mac.Replace(':', '-').ToUpperInvariant()), [.. given.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)],
            [.. rules.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(FirewallRule.Parse)], ServersOf(bridge));
    }

    private IReadOnlyList<IPAddress> ServersOf(string bridge) => bridge != options.Bridge ? [] : options.Gateway6 is { } six ? [addresses.Gateway, six] : [addresses.Gateway];

    private async Task<IReadOnlyList<RuleCounter>> CountersAsync(FirewalledInterface one, CancellationToken cancellation)
    {
        try
        {
            List<RuleCounter> counters = [];
            foreach (string chain in (string[])[FirewallScript.Sent(one.Name), FirewallScript.Received(one.Name)])
            {
                counters.AddRange((await host.CountersAsync(chain, cancellation).ConfigureAwait(false)).Select(counter => new RuleCounter(counter.Rule, counter.Packets, counter.Bytes)));
            }

            return counters;
        }
        catch (IOException)
        {
            // The interface goes at this moment.
            return [];
        }
    }

    private async Task RemoveAsync(DeviceAddress device)
    {
        FirewalledInterface? one = await DescribeAsync(device, CancellationToken.None).ConfigureAwait(false);
        await bus.RemoveByForceAsync(device).ConfigureAwait(false);
        await ForgetAsync(device, one).ConfigureAwait(false);
    }

    private async Task ForgetAsync(DeviceAddress device, FirewalledInterface? one)
    {
        if (one is not null)
        {
            foreach (string script in (string[])[FirewallScript.Unforward(FirewallScript.ForwardedPorts(one)), FirewallScript.Remove(one.Name)])
            {
                await FilterIfPossibleAsync(script).ConfigureAwait(false);
            }
        }

        await UnrouteAsync(RoutedBridge.NameOf(device)).ConfigureAwait(false);
    }

    private async Task UnrouteAsync(string bridge)
    {
        try
        {
            await host.UnrouteAsync(bridge).ConfigureAwait(false);
        }
        catch (IOException exception)
        {
            log($"the bridge {bridge} of an interface that is gone stays: {exception.Message}");
        }
    }

    /// <summary>What is to be taken back may never have come so far.</summary>
    private async Task FilterIfPossibleAsync(string script)
    {
        try
        {
            if (script.Length > 0)
            {
                await host.FilterAsync(script, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (IOException)
        {
        }
    }

    /// <summary>Whether the packet filter has the rules of an interface, by their texts.</summary>
    private async Task<bool> HasItsRulesAsync(FirewalledInterface one, IEnumerable<ForwardedPort> forwarded, CancellationToken cancellation)
    {
        IEnumerable<string> filtered = (await CountersAsync(one, cancellation).ConfigureAwait(false)).Select(counter => counter.Rule);
        IEnumerable<string> wanted = one.Rules.Where(rule => rule.Action != FirewallAction.Forward).Select(rule => rule.Text);
        return filtered.Where(FirewallScript.IsRule).Order(StringComparer.Ordinal).SequenceEqual(wanted.Order(StringComparer.Ordinal))
            && forwarded.ToHashSet().SetEquals(FirewallScript.ForwardedPorts(one));
    }

    private static async Task AskAsync(uint index, Func<Task> action)
    {
        try
        {
            await action().ConfigureAwait(false);
        }
        catch (IOException exception)
        {
            throw new DomainServiceException(Refusal.Failed, $"interface {index}: {exception.Message}", exception);
        }
    }
}
