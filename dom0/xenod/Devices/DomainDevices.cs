// All devices of a domain.
using System.Collections.Immutable;
using System.Globalization;
using Xenod.Networks;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Networks;

namespace Xenod.Devices;

/// <summary>Disks and network interfaces together, for a domain's start and end.</summary>
internal sealed class DomainDevices(DiskService disks, InterfaceService interfaces)
{
    internal DiskService Disks => disks;

    internal InterfaceService Interfaces => interfaces;

    /// <summary>Gives a new domain its devices. When that fails, the caller takes back what it has.</summary>
    internal async Task AttachAllAsync(ushort domain, Guid uuid, string name, DeviceSettings settings, CancellationToken cancellation)
    {
        foreach (string disk in settings.Disks)
        {
            await disks.AttachAsync(domain, DiskParser.Parse(disk), cancellation).ConfigureAwait(false);
        }

        foreach ((string index, InterfaceSettings one) in settings.Interfaces)
        {
            await interfaces.AttachAsync(
                domain, uuid, name, IndexOf(index), InterfaceParser.Parse(one.Text), [.. one.Rules.Select(FirewallRule.Parse)], cancellation)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Takes away what a daemon that was killed had begun to give to a running domain or to take from it.</summary>
    internal async Task ReconcileAsync(ushort domain, DeviceSettings settings)
    {
        await interfaces.RemoveAllButAsync(domain, settings.Interfaces.Keys.Select(IndexOf).ToHashSet()).ConfigureAwait(false);
        await disks.RemoveAllButAsync(domain, settings.Disks.Select(text => DiskParser.Parse(text).Device.Number).ToHashSet()).ConfigureAwait(false);
    }

    /// <summary>Lets go of disks that no domain has, and makes the packet filter as the interfaces of the domains want it.</summary>
    internal async Task ReconcileAsync(IReadOnlyList<ushort> domains, CancellationToken cancellation)
    {
        await disks.ReleaseStrayAsync(domains, cancellation).ConfigureAwait(false);
        await interfaces.ReconcileFilterAsync(domains, cancellation).ConfigureAwait(false);
    }

    /// <summary>Frees the addresses of a domain that will not be started again.</summary>
    internal void ForgetAddresses(Guid uuid, DeviceSettings settings) => interfaces.ForgetAddresses(InterfacesOf(uuid, settings));

    /// <summary>Frees the addresses of interfaces that no domain has any more.</summary>
    internal void ForgetAddressesBut(IEnumerable<(Guid Uuid, DeviceSettings Settings)> domains)
        => interfaces.ForgetAddressesBut(domains.SelectMany(domain => InterfacesOf(domain.Uuid, domain.Settings)));

    /// <summary>Takes all devices away from a domain that has ended or is about to.</summary>
    internal async Task RemoveAllAsync(ushort domain)
    {
        await interfaces.RemoveAllButAsync(domain, ImmutableHashSet<uint>.Empty).ConfigureAwait(false);
        await disks.RemoveAllButAsync(domain, ImmutableHashSet<uint>.Empty).ConfigureAwait(false);
    }

    private static IEnumerable<(Guid Uuid, uint Index, InterfaceSpecification Wanted)> InterfacesOf(Guid uuid, DeviceSettings settings)
        => settings.Interfaces.Select(pair => (uuid, IndexOf(pair.Key), InterfaceParser.Parse(pair.Value.Text)));

    private static uint IndexOf(string key) => uint.Parse(key, CultureInfo.InvariantCulture);
}
