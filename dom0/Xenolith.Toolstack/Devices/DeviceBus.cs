// Devices in xenstore: how the two kernels are told of one, and how it is taken from them.
using System.Globalization;
using Xenolith.Toolstack.Xenstore;

namespace Xenolith.Toolstack.Devices;

/// <summary>Writes, watches and removes the nodes by which Domain 0's kernel and a guest's agree on a device (public io/xenbus.h).</summary>
/// <param name="store">Xenstore, as Domain 0.</param>
/// <param name="patience">How long either kernel may take for a step; 30 s where nothing is said.</param>
public sealed class DeviceBus(IXenstore store, TimeSpan? patience = null)
{
    private readonly TimeSpan _patience = patience ?? TimeSpan.FromSeconds(30);

    /// <summary>Writes a new device's nodes at once; what an earlier device has left in the same place goes.</summary>
    /// <param name="device">Where.</param>
    /// <param name="frontEnd">What the guest's driver is told besides what every device has.</param>
    /// <param name="backEnd">What Domain 0's driver is told besides.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public Task PublishAsync(
        DeviceAddress device, IEnumerable<(string Name, string Value)> frontEnd, IEnumerable<(string Name, string Value)> backEnd, CancellationToken cancellation)
    {
        string initial = Text(XenbusState.Initialising);
        (string Name, string Value)[] front = [("backend", device.BackEnd), ("backend-id", "0"), .. frontEnd, ("state", initial)];
        (string Name, string Value)[] back = [("frontend", device.FrontEnd), ("frontend-id", Text(device.Domain)), ("online", "1"), .. backEnd, ("state", initial)];
        return store.TransactAsync(async (nodes, token) =>
        {
            await WriteEndAsync(nodes, device.FrontEnd, [XenstorePermission.Owner(device.Domain), XenstorePermission.Reader(0)], front, token).ConfigureAwait(false);
            await WriteEndAsync(nodes, device.BackEnd, [XenstorePermission.Owner(0), XenstorePermission.Reader(device.Domain)], back, token).ConfigureAwait(false);
        }, cancellation);
    }

    /// <summary>Waits until Domain 0's driver has taken the device.</summary>
    /// <exception cref="DeviceException">It refuses, or does not come.</exception>
    public async Task WaitForBackEndAsync(DeviceAddress device, CancellationToken cancellation)
    {
        XenbusState state = await WaitAsync(device.BackEnd, found => found is not (XenbusState.Initialising or XenbusState.Unknown), cancellation).ConfigureAwait(false);
        if (state is not (XenbusState.InitWait or XenbusState.Initialised or XenbusState.Connected))
        {
            string module = device.Kind == DeviceAddress.Disk ? "xen-blkback" : "xen-netback";
            string? error = await store.TryReadTextAsync(device.BackEndError, cancellation).ConfigureAwait(false);
            throw new DeviceException(error is null
                ? $"Domain 0's kernel does not take {device}: load its module {module}"
                : $"Domain 0's kernel refuses {device}: {error}");
        }
    }

    /// <summary>Waits until both ends have agreed and data flows.</summary>
    /// <returns>False when the guest's driver has not come in time; the device stays and waits for it.</returns>
    public async Task<bool> WaitForConnectionAsync(DeviceAddress device, CancellationToken cancellation)
        => await WaitAsync(device.BackEnd, found => found is XenbusState.Connected or XenbusState.Closed or XenbusState.Unknown, cancellation).ConfigureAwait(false) == XenbusState.Connected;

    /// <summary>Asks both kernels to let go of a device, then removes its nodes.</summary>
    /// <exception cref="DeviceException">The guest does not let go of it; the device stays as it is.</exception>
    public async Task CloseAsync(DeviceAddress device, CancellationToken cancellation)
    {
        await store.TransactAsync((nodes, token) => AskToCloseAsync(nodes, device, token), cancellation).ConfigureAwait(false);
        if (await WaitAsync(device.BackEnd, IsOver, cancellation).ConfigureAwait(false) is var state && !IsOver(state))
        {
            throw new DeviceException($"the guest does not let go of {device}: unmount it there first, or take it away by force");
        }

        await RemoveAsync(device).ConfigureAwait(false);
    }

    /// <summary>Takes a device away from a guest that is not asked: its end goes, whereupon Domain 0's driver lets go. Does nothing where there is no device.</summary>
    public async Task RemoveByForceAsync(DeviceAddress device)
    {
        // Where no driver of Domain 0's has taken it, nobody would answer.
        if (await StateOfAsync(store, device.BackEnd, CancellationToken.None).ConfigureAwait(false) is not (XenbusState.Unknown or XenbusState.Initialising))
        {
            // At once: the driver of disks says that it is done only where it finds itself asked to close when the guest's end is gone.
            await store.TransactAsync(async (nodes, token) =>
            {
                await AskToCloseAsync(nodes, device, token).ConfigureAwait(false);
                await RemoveIfThereAsync(nodes, device.FrontEnd, token).ConfigureAwait(false);
            }, CancellationToken.None).ConfigureAwait(false);
            await WaitAsync(device.BackEnd, IsOver, CancellationToken.None).ConfigureAwait(false);
        }

        await RemoveAsync(device).ConfigureAwait(false);
    }

    /// <summary>The devices of a domain.</summary>
    public async Task<IReadOnlyList<DeviceAddress>> ListAsync(string kind, ushort domain, CancellationToken cancellation)
    {
        IReadOnlyList<string>? numbers = await store.TryListAsync(DeviceAddress.BackEndsOf(kind, domain), cancellation).ConfigureAwait(false);
        List<DeviceAddress> found = [];
        foreach (string number in numbers ?? [])
        {
            if (uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out uint value))
            {
                found.Add(new DeviceAddress(kind, domain, value));
            }
        }

        return found;
    }

    /// <summary>How far Domain 0's end has come.</summary>
    public Task<XenbusState> BackEndStateAsync(DeviceAddress device) => StateOfAsync(store, device.BackEnd, CancellationToken.None);

    /// <summary>What Domain 0's end has been told, or null.</summary>
    public Task<string?> BackEndValueAsync(DeviceAddress device, string name, CancellationToken cancellation) => store.TryReadTextAsync($"{device.BackEnd}/{name}", cancellation);

    /// <summary>Tells Domain 0's driver more.</summary>
    public Task WriteBackEndAsync(DeviceAddress device, IEnumerable<(string Name, string Value)> values, CancellationToken cancellation)
    {
        return store.TransactAsync(async (nodes, token) =>
        {
            foreach ((string name, string value) in values)
            {
                await nodes.WriteAsync($"{device.BackEnd}/{name}", value, token).ConfigureAwait(false);
            }
        }, cancellation);
    }

    private static bool IsOver(XenbusState state) => state is XenbusState.Closed or XenbusState.Unknown;

    private static async Task AskToCloseAsync(IXenstoreNodes nodes, DeviceAddress device, CancellationToken cancellation)
    {
        await nodes.WriteAsync($"{device.BackEnd}/online", "0", cancellation).ConfigureAwait(false);

        // A driver that has closed does not say so again.
        if (await StateOfAsync(nodes, device.BackEnd, cancellation).ConfigureAwait(false) != XenbusState.Closed)
        {
            await nodes.WriteAsync($"{device.BackEnd}/state", Text(XenbusState.Closing), cancellation).ConfigureAwait(false);
        }
    }

    private static async Task WriteEndAsync(
        IXenstoreNodes nodes, string directory, XenstorePermission[] permissions, (string Name, string Value)[] values, CancellationToken cancellation)
    {
        await RemoveIfThereAsync(nodes, directory, cancellation).ConfigureAwait(false);
        await nodes.MakeDirectoryAsync(directory, cancellation).ConfigureAwait(false);
        await nodes.SetPermissionsAsync(directory, permissions, cancellation).ConfigureAwait(false);
        foreach ((string name, string value) in values)
        {
            await nodes.WriteAsync($"{directory}/{name}", value, cancellation).ConfigureAwait(false);
        }
    }

    private async Task RemoveAsync(DeviceAddress device)
    {
        await RemoveIfThereAsync(store, device.FrontEnd, CancellationToken.None).ConfigureAwait(false);
        await RemoveIfThereAsync(store, device.BackEnd, CancellationToken.None).ConfigureAwait(false);
        string parent = DeviceAddress.BackEndsOf(device.Kind, device.Domain);
        if (await store.TryListAsync(parent, CancellationToken.None).ConfigureAwait(false) is { Count: 0 })
        {
            await RemoveIfThereAsync(store, parent, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static async Task RemoveIfThereAsync(IXenstoreNodes nodes, string path, CancellationToken cancellation)
    {
        if (await nodes.ExistsAsync(path, cancellation).ConfigureAwait(false))
        {
            await nodes.RemoveAsync(path, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until an end's state is as wanted, or the patience is over; the state at the end of that.</summary>
    private async Task<XenbusState> WaitAsync(string directory, Func<XenbusState, bool> isWanted, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_patience);
        await using IXenstoreWatch watch = await store.WatchAsync($"{directory}/state", cancellation).ConfigureAwait(false);
        try
        {
            while (true)
            {
                await watch.NextAsync(patience.Token).ConfigureAwait(false);
                XenbusState state = await StateOfAsync(store, directory, CancellationToken.None).ConfigureAwait(false);
                if (isWanted(state))
                {
                    return state;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return await StateOfAsync(store, directory, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static async Task<XenbusState> StateOfAsync(IXenstoreNodes nodes, string directory, CancellationToken cancellation)
    {
        string? text = await nodes.TryReadTextAsync($"{directory}/state", cancellation).ConfigureAwait(false);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int state) && state <= (int)XenbusState.Reconfigured ? (XenbusState)state : XenbusState.Unknown;
    }

    private static string Text(XenbusState state) => Text((int)state);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
