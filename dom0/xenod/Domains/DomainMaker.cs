// Makes domains and takes them apart.
using Xenod.Consoles;
using Xenod.Devices;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Domains;

/// <summary>The steps of a domain's start and end, each of which knows how to be undone.</summary>
internal sealed class DomainMaker(ControlInterface control, DomainBuilder builder, IXenstore store, DomainNodes nodes, ConsoleService consoles, DomainDevices devices, BootLoader loader, TimeProvider clock)
{
    /// <summary>Makes a domain, paused. When it cannot be made, nothing is left of it.</summary>
    /// <returns>The record with all that is to be known of the domain.</returns>
    internal async Task<DomainRecord> MakeAsync(DomainRecord record, DomainConfiguration configuration, CancellationToken cancellation)
    {
        Stack<Func<Task>> undo = new();
        try
        {
            DeviceSettings settings = record.Devices ?? DeviceSettings.Of(configuration);
            DomainConfiguration bootable = configuration.Kernel is null ? await loader.LoadAsync(configuration, settings, cancellation).ConfigureAwait(false) : configuration;
            BuiltDomain built = await builder.BuildAsync(RequestOf(record, bootable), null, cancellation).ConfigureAwait(false);
            undo.Push(() => Run(() => control.Domains.Destroy(built.Id)));
            DateTimeOffset now = clock.GetUtcNow();
            undo.Push(() => nodes.RemoveAsync(built.Id, built.Uuid, CancellationToken.None));
            await nodes.WriteAsync(built, configuration, now, cancellation).ConfigureAwait(false);
            undo.Push(() => store.ReleaseAsync(built.Id, CancellationToken.None));
            await store.IntroduceAsync(built.Id, built.XenstoreFrame, built.XenstorePort, cancellation).ConfigureAwait(false);
            undo.Push(() => devices.RemoveAllAsync(built.Id));
            await devices.AttachAllAsync(built.Id, built.Uuid, record.Name, settings, cancellation).ConfigureAwait(false);
            long start = consoles.Attach(built.Uuid, built.Id, built.ConsoleFrame, built.ConsolePort, null);
            return record with { Id = built.Id, ConsoleFrame = built.ConsoleFrame, ConsolePort = built.ConsolePort, ConsoleStart = start, Started = now, Ended = null };
        }
        catch
        {
            foreach (Func<Task> step in undo)
            {
                await UndoAsync(step).ConfigureAwait(false);
            }

            throw;
        }
    }

    /// <summary>Takes a domain apart, whatever of it is still there.</summary>
    /// <param name="record">The domain.</param>
    /// <param name="isEnd">It will not be started again.</param>
    internal async Task EndAsync(DomainRecord record, bool isEnd)
    {
        // What it has said last is read while its memory is there; a mapped ring would keep the memory from being freed.
        await consoles.DetachAsync(record.Uuid, isEnd).ConfigureAwait(false);
        if (record.Id is { } id)
        {
            bool isThere = control.Domains.Find(id) is { } found && found.Uuid == record.Uuid;
            if (isThere)
            {
                // What is taken away below, its kernel would complain of.
                await UndoAsync(() => Run(() => control.Domains.Pause(id))).ConfigureAwait(false);
            }

            await devices.RemoveAllAsync(id).ConfigureAwait(false);
            await UndoAsync(() => store.ReleaseAsync(id, CancellationToken.None)).ConfigureAwait(false);
            if (isThere)
            {
                await Run(() => control.Domains.Destroy(id)).ConfigureAwait(false);
            }

            await nodes.RemoveAsync(id, record.Uuid, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private BuildRequest RequestOf(DomainRecord record, DomainConfiguration configuration)
        => BuildRequest.For(configuration with { Uuid = record.Uuid }, [.. control.Machine.GetTopology().Select(place => (int)(place?.Node ?? uint.MaxValue))]);

    private static Task Run(Action action) => Task.Run(action);

    /// <summary>What cannot be undone is gone already: the domain may have died meanwhile.</summary>
    private static async Task UndoAsync(Func<Task> step)
    {
        try
        {
            await step().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is XenException or XenstoreException)
        {
        }
    }
}
