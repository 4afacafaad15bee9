// All devices of a domain.
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
                domain, uuid, name, uint.Parse(index, CultureInfo.InvariantCulture), InterfaceParser.Parse(one.Text), [.. one.Rules.Select(FirewallRule.Parse)], cancellation)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Takes all devices away from a domain that has ended or is about to.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="isEnd">It will not be started again.</param>
    internal async Task RemoveAllAsync(ushort domain, bool isEnd)
    {
        await interfaces.RemoveAllAsync(domain, isEnd).ConfigureAwait(false);
        await disks.RemoveAllAsync(domain).ConfigureAwait(false);
    }
}
