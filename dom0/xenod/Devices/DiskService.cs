// The disks of domains.
using System.Collections.Concurrent;
using System.Globalization;
using Xenod.Domains;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Interop;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Devices;

/// <summary>
/// Gives disks to domains and takes them away. What there is stands in xenstore alone, so that a daemon that is started anew finds it; the
/// moving of the data is the kernel's (xen-blkback).
/// </summary>
internal sealed class DiskService(IXenstore store, DeviceBus bus, IDiskServers servers)
{
    private const string Kind = DeviceAddress.Disk;
    private const string PathNode = "params";
    private const string ServedNode = "physical-device-path";
    private const string ModeNode = "mode";
    private const string NameNode = "dev";
    private const string SharedNode = "xenolith-shared";

    private readonly ConcurrentDictionary<DeviceAddress, IServedDisk> _served = new();

    // Nobody else takes a disk between the look at who has it and the note that it is taken.
    private readonly SemaphoreSlim _gate = new(1);

    /// <summary>Gives a disk to a domain. When that fails, nothing is left of it.</summary>
    /// <exception cref="DomainServiceException">The disk is in use, or not there.</exception>
    /// <exception cref="DeviceException">Domain 0's kernel does not serve it.</exception>
    internal async Task AttachAsync(ushort domain, DiskSpecification disk, CancellationToken cancellation)
    {
        DeviceAddress device = new(Kind, domain, disk.Device.Number);
        IServedDisk served;
        await _gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (await bus.BackEndStateAsync(device).ConfigureAwait(false) != XenbusState.Unknown)
            {
                throw new DomainServiceException(Refusal.Conflict, $"the domain has a disk {disk.Device.Name} already; choose another name");
            }

            await RefuseSharingAsync(disk, cancellation).ConfigureAwait(false);
            served = await ServeAsync(disk, cancellation).ConfigureAwait(false);
            try
            {
                await bus.PublishAsync(device, FrontEnd(disk), BackEnd(disk), cancellation).ConfigureAwait(false);
            }
            catch
            {
                await served.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            _gate.Release();
        }

        _served[device] = served;
        try
        {
            await bus.WaitForBackEndAsync(device, cancellation).ConfigureAwait(false);
            await bus.WriteBackEndAsync(device, [(ServedNode, served.Path), ("physical-device", served.Number), ("hotplug-status", "connected")], cancellation).ConfigureAwait(false);
        }
        catch
        {
            await RemoveAsync(device).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a disk away from a domain.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="name">The disk's name in the guest.</param>
    /// <param name="isForced">The guest is not asked.</param>
    /// <param name="cancellation">Ends the waiting for the guest.</param>
    internal async Task DetachAsync(ushort domain, string name, bool isForced, CancellationToken cancellation)
    {
        DeviceAddress device = default;
        foreach (DeviceAddress candidate in await bus.ListAsync(Kind, domain, cancellation).ConfigureAwait(false))
        {
            if (await bus.BackEndValueAsync(candidate, NameNode, cancellation).ConfigureAwait(false) == name)
            {
                device = candidate;
            }
        }

        if (device == default)
        {
            throw new DomainServiceException(Refusal.NotFound, $"the domain has no disk '{name}'; list its disks for those that it has");
        }

        if (!isForced)
        {
            string? served = await bus.BackEndValueAsync(device, ServedNode, cancellation).ConfigureAwait(false);
            await bus.CloseAsync(device, cancellation).ConfigureAwait(false);
            await ReleaseAsync(device, served).ConfigureAwait(false);
            return;
        }

        await RemoveAsync(device).ConfigureAwait(false);
    }

    /// <summary>Takes disks away from a domain.</summary>
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

    /// <summary>Lets go of disks that no domain has.</summary>
    /// <param name="domains">All domains with disks of this daemon's.</param>
    /// <param name="cancellation">Ends the looking.</param>
    internal async Task ReleaseStrayAsync(IEnumerable<ushort> domains, CancellationToken cancellation)
    {
        HashSet<string> used = [];
        foreach (ushort domain in domains)
        {
            used.UnionWith((await ListAsync(domain, cancellation).ConfigureAwait(false)).Select(disk => disk.Device).OfType<string>());
        }

        await servers.ReleaseAllButAsync(used).ConfigureAwait(false);
    }

    /// <summary>The disks of a domain.</summary>
    internal async Task<IReadOnlyList<DiskView>> ListAsync(ushort domain, CancellationToken cancellation)
    {
        List<DiskView> disks = [];
        foreach (DeviceAddress device in await bus.ListAsync(Kind, domain, cancellation).ConfigureAwait(false))
        {
            Task<string?> Value(string name) => bus.BackEndValueAsync(device, name, cancellation);
            XenbusState state = await bus.BackEndStateAsync(device).ConfigureAwait(false);
            disks.Add(new DiskView(
                await Value(NameNode).ConfigureAwait(false) ?? "", await Value(PathNode).ConfigureAwait(false) ?? "", await Value(ServedNode).ConfigureAwait(false),
                await Value(ModeNode).ConfigureAwait(false) != "w", state == XenbusState.Connected));
        }

        return disks;
    }

    private static IEnumerable<(string Name, string Value)> FrontEnd(DiskSpecification disk) =>
    [
        ("virtual-device", disk.Device.Number.ToString(CultureInfo.InvariantCulture)), ("device-type", disk.IsCdrom ? "cdrom" : "disk"), ("trusted", "1"),
    ];

    private static IEnumerable<(string Name, string Value)> BackEnd(DiskSpecification disk) =>
    [
        (NameNode, disk.Device.Name), (PathNode, disk.Target), (ModeNode, disk.IsReadOnly ? "r" : "w"), (SharedNode, disk.IsShared ? "1" : "0"), ("type", "phy"),
        ("device-type", disk.IsCdrom ? "cdrom" : "disk"), ("removable", "0"), ("bootable", "1"), ("discard-enable", disk.AllowsDiscard == false ? "0" : "1"),
        ("specification", "xen"),
    ];

    private async Task<IServedDisk> ServeAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        try
        {
            return await servers.ServeAsync(disk, cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or ProgramException)
        {
            throw new DomainServiceException(Refusal.Invalid, $"disk {disk.Device.Name}: {exception.Message}", exception);
        }
    }

    /// <summary>One who writes, or many who read: two who write would each destroy what the other does.</summary>
    private async Task RefuseSharingAsync(DiskSpecification disk, CancellationToken cancellation)
    {
        string? identity = TryIdentify(disk.Target);
        if (disk.IsShared || identity is null)
        {
            return;
        }

        string root = $"{XenstorePath.OfDomain(0)}/backend/{Kind}";
        foreach (string owner in await store.TryListAsync(root, cancellation).ConfigureAwait(false) ?? [])
        {
            if (!ushort.TryParse(owner, NumberStyles.None, CultureInfo.InvariantCulture, out ushort domain))
            {
                continue;
            }

            foreach (DeviceAddress device in await bus.ListAsync(Kind, domain, cancellation).ConfigureAwait(false))
            {
                bool isWritten = await bus.BackEndValueAsync(device, ModeNode, cancellation).ConfigureAwait(false) == "w";
                string? path = await bus.BackEndValueAsync(device, PathNode, cancellation).ConfigureAwait(false);
                if ((isWritten || !disk.IsReadOnly) && path is not null && TryIdentify(path) == identity)
                {
                    throw new DomainServiceException(
                        Refusal.Conflict,
                        $"{disk.Target} is a disk of domain {domain} already, {(isWritten ? "which writes to it" : "which reads it")}; two may share it only to read, or with access 'w!' where their file system is made for it");
                }
            }
        }
    }

    private string? TryIdentify(string target)
    {
        try
        {
            return servers.IdentityOf(target);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private async Task RemoveAsync(DeviceAddress device)
    {
        string? served = await bus.BackEndValueAsync(device, ServedNode, CancellationToken.None).ConfigureAwait(false);
        await bus.RemoveByForceAsync(device).ConfigureAwait(false);
        await ReleaseAsync(device, served).ConfigureAwait(false);
    }

    private async Task ReleaseAsync(DeviceAddress device, string? path)
    {
        if (_served.TryRemove(device, out IServedDisk? served))
        {
            await served.DisposeAsync().ConfigureAwait(false);
        }
        else if (path is not null)
        {
            await servers.ReleaseAsync(path).ConfigureAwait(false);
        }
    }
}
