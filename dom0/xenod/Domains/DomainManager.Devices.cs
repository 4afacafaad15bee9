// Devices that come and go while their domain runs.
using Xenod.Devices;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Daemon;
using Xenolith.Toolstack.Devices;
using Xenolith.Toolstack.Networks;

namespace Xenod.Domains;

internal sealed partial class DomainManager
{
    public async Task<IReadOnlyList<DiskView>> ListDisksAsync(string domain, CancellationToken cancellation)
        => await devices.Disks.ListAsync((ushort)(await BuiltAsync(domain, cancellation).ConfigureAwait(false)).Id!, cancellation).ConfigureAwait(false);

    public Task AttachDiskAsync(string domain, string disk, CancellationToken cancellation)
    {
        DiskSpecification wanted = Parsed(() => DiskParser.Parse(disk));
        return OnDevicesAsync(domain, "disk.attached", wanted.Device.Name, async (record, settings) =>
        {
            await devices.Disks.AttachAsync(record.Id!.Value, wanted, cancellation).ConfigureAwait(false);
            return settings.WithDisk(disk);
        }, cancellation);
    }

    public Task DetachDiskAsync(string domain, string name, bool isForced, CancellationToken cancellation)
    {
        return OnDevicesAsync(domain, "disk.detached", name, async (record, settings) =>
        {
            await devices.Disks.DetachAsync(record.Id!.Value, name, isForced, cancellation).ConfigureAwait(false);
            return settings.WithoutDisk(name);
        }, cancellation);
    }

    public async Task<IReadOnlyList<InterfaceView>> ListInterfacesAsync(string domain, CancellationToken cancellation)
        => await devices.Interfaces.ListAsync((ushort)(await BuiltAsync(domain, cancellation).ConfigureAwait(false)).Id!, cancellation).ConfigureAwait(false);

    public Task AttachInterfaceAsync(string domain, string text, CancellationToken cancellation)
    {
        InterfaceSpecification wanted = Parsed(() => InterfaceParser.Parse(text));
        return OnDevicesAsync(domain, "interface.attached", text, async (record, settings) =>
        {
            uint index = settings.FreeIndex();
            await devices.Interfaces.AttachAsync(record.Id!.Value, record.Uuid, record.Name, index, wanted, [.. wanted.Rules.Select(FirewallRule.Parse)], cancellation).ConfigureAwait(false);
            return settings.WithInterface(index, new InterfaceSettings(text, wanted.Rules));
        }, cancellation);
    }

    public Task DetachInterfaceAsync(string domain, uint index, bool isForced, CancellationToken cancellation)
    {
        return OnDevicesAsync(domain, "interface.detached", null, async (record, settings) =>
        {
            await devices.Interfaces.DetachAsync(record.Id!.Value, index, isForced, cancellation).ConfigureAwait(false);
            return settings.WithoutInterface(index);
        }, cancellation);
    }

    public Task SetRulesAsync(string domain, uint index, IReadOnlyList<string> rules, CancellationToken cancellation)
    {
        IReadOnlyList<FirewallRule> parsed = Parsed(() => rules.Select(FirewallRule.Parse).ToList());
        return OnDevicesAsync(domain, "interface.rules", null, async (record, settings) =>
        {
            await devices.Interfaces.SetRulesAsync(record.Id!.Value, index, parsed, cancellation).ConfigureAwait(false);
            return settings.WithInterface(index, new InterfaceSettings(settings.Interface(index)?.Text ?? "", rules));
        }, cancellation);
    }

    private static T Parsed<T>(Func<T> parse)
    {
        try
        {
            return parse();
        }
        catch (FormatException exception)
        {
            throw new DomainServiceException(Refusal.Invalid, exception.Message, exception);
        }
    }

    /// <summary>Changes the devices of a domain, and notes what it has now for its next start.</summary>
    private async Task OnDevicesAsync(string domain, string kind, string? detail, Func<DomainRecord, DeviceSettings, Task<DeviceSettings>> change, CancellationToken cancellation)
    {
        DomainView view = await NotDomain0Async(domain, cancellation).ConfigureAwait(false);
        ManagedDomain managed = Find(domain) ?? throw new DomainServiceException(Refusal.NotFound, $"domain '{view.Name}' was not made by this daemon, which gives devices to its own domains only");
        await managed.Gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (managed.IsGone || managed.Record.Id is null)
            {
                throw new DomainServiceException(Refusal.NotFound, $"domain '{view.Name}' has ended");
            }

            DomainRecord record = managed.Record;
            DeviceSettings settings = await change(record, managed.Devices).ConfigureAwait(false);
            Keep(managed, record with { Devices = settings });
        }
        catch (DeviceException exception)
        {
            throw new DomainServiceException(Refusal.Failed, exception.Message, exception);
        }
        finally
        {
            managed.Gate.Release();
        }

        events.Add(kind, view.Uuid, view.Name, detail);
    }
}
