// A domain's nodes in xenstore.
using System.Globalization;
using Xenolith.Toolstack.Building;
using Xenolith.Toolstack.Configuration;
using Xenolith.Toolstack.Xenstore;

namespace Xenod.Domains;

/// <summary>Writes and removes what the guest and Domain 0's kernel look for in xenstore (Xen's docs/misc/xenstore-paths).</summary>
internal sealed class DomainNodes(IXenstore store)
{
    private const int KibibytesPerMebibyte = 1024;
    private const int ConsoleLimit = 1024 * 1024;

    private static readonly string[] s_guestsOwn = ["data", "drivers", "feature", "attr", "error", "device/suspend/event-channel"];
    private static readonly string[] s_control = ["shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq"];

    /// <summary>Writes all nodes of a new domain at once.</summary>
    internal Task WriteAsync(BuiltDomain built, DomainConfiguration configuration, DateTimeOffset started, CancellationToken cancellation)
    {
        return store.TransactAsync(async (nodes, token) =>
        {
            string home = XenstorePath.OfDomain(built.Id);
            string machine = MachinePath(built.Uuid);
            await nodes.RemoveAsync(home, token).ConfigureAwait(false);
            await DirectoryAsync(nodes, home, ReadableBy(built.Id), token).ConfigureAwait(false);
            await DirectoryAsync(nodes, machine, ReadableBy(built.Id), token).ConfigureAwait(false);
            foreach ((string path, string value) in ValuesOf(built, configuration, started, home, machine))
            {
                await nodes.WriteAsync(path, value, token).ConfigureAwait(false);
            }

            // A new node has its parent's permissions: these are the ones that the guest writes.
            await DirectoryAsync(nodes, $"{home}/device", ReadableBy(built.Id), token).ConfigureAwait(false);
            foreach (string name in s_guestsOwn.Concat(s_control.Select(name => "control/" + name)))
            {
                await DirectoryAsync(nodes, $"{home}/{name}", [XenstorePermission.Owner(built.Id)], token).ConfigureAwait(false);
            }
        }, cancellation);
    }

    /// <summary>Removes all nodes of a domain that is no more.</summary>
    internal Task RemoveAsync(ushort id, Guid uuid, CancellationToken cancellation)
    {
        return store.TransactAsync(async (nodes, token) =>
        {
            foreach (string path in (string[])[XenstorePath.OfDomain(id), MachinePath(uuid), $"/libxl/{id}"])
            {
                if (await nodes.ExistsAsync(path, token).ConfigureAwait(false))
                {
                    await nodes.RemoveAsync(path, token).ConfigureAwait(false);
                }
            }
        }, cancellation);
    }

    /// <summary>The name of a domain that others may have made, or null.</summary>
    internal Task<string?> NameOfAsync(ushort id, CancellationToken cancellation) => store.TryReadTextAsync($"{XenstorePath.OfDomain(id)}/name", cancellation);

    /// <summary>Gives a domain that has ended another name and uuid.</summary>
    internal Task RenameAsync(ushort id, Guid old, Guid uuid, string name, CancellationToken cancellation)
    {
        return store.TransactAsync(async (nodes, token) =>
        {
            string home = XenstorePath.OfDomain(id);
            await nodes.WriteAsync($"{home}/name", name, token).ConfigureAwait(false);
            await nodes.WriteAsync($"{home}/vm", MachinePath(uuid), token).ConfigureAwait(false);
            await DirectoryAsync(nodes, MachinePath(uuid), ReadableBy(id), token).ConfigureAwait(false);
            await nodes.WriteAsync($"{MachinePath(uuid)}/uuid", uuid.ToString("D"), token).ConfigureAwait(false);
            await nodes.WriteAsync($"{MachinePath(uuid)}/name", name, token).ConfigureAwait(false);
            await nodes.RemoveAsync(MachinePath(old), token).ConfigureAwait(false);
        }, cancellation);
    }

    /// <summary>Asks the guest for something by its control node.</summary>
    internal Task ControlAsync(ushort id, string request, CancellationToken cancellation) => store.WriteAsync($"{XenstorePath.OfDomain(id)}/control/shutdown", request, cancellation);

    /// <summary>Tells the guest how much memory it is to have.</summary>
    internal Task SetMemoryTargetAsync(ushort id, int mebibytes, CancellationToken cancellation)
        => store.WriteAsync($"{XenstorePath.OfDomain(id)}/memory/target", (long)mebibytes * KibibytesPerMebibyte, cancellation);

    /// <summary>Tells the guest which of its vcpus are to be on.</summary>
    internal Task SetVcpusAsync(ushort id, int on, int all, CancellationToken cancellation)
    {
        return store.TransactAsync(async (nodes, token) =>
        {
            for (int vcpu = 0; vcpu < all; vcpu++)
            {
                await nodes.WriteAsync(VcpuPath(XenstorePath.OfDomain(id), vcpu), vcpu < on ? "online" : "offline", token).ConfigureAwait(false);
            }
        }, cancellation);
    }

    /// <summary>Writes what Domain 0 and the tools of others expect of Domain 0 itself.</summary>
    internal async Task WriteDomain0Async(CancellationToken cancellation)
    {
        await store.WriteAsync("/local/domain/0/domid", "0", cancellation).ConfigureAwait(false);
        await store.WriteAsync("/local/domain/0/name", "Domain-0", cancellation).ConfigureAwait(false);
        await store.WriteAsync("/local/pool/0/name", "Pool-0", cancellation).ConfigureAwait(false);
    }

    private static IEnumerable<(string Path, string Value)> ValuesOf(BuiltDomain built, DomainConfiguration configuration, DateTimeOffset started, string home, string machine)
    {
        string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
        yield return ($"{home}/vm", machine);
        yield return ($"{home}/name", configuration.Name);
        yield return ($"{home}/domid", Number(built.Id));
        for (int vcpu = 0; vcpu < configuration.MaximumVcpus; vcpu++)
        {
            yield return (VcpuPath(home, vcpu), vcpu < configuration.Vcpus ? "online" : "offline");
        }

        yield return ($"{home}/memory/static-max", Number((long)configuration.MaximumMemory * KibibytesPerMebibyte));
        yield return ($"{home}/memory/target", Number((long)configuration.Memory * KibibytesPerMebibyte));
        yield return ($"{home}/memory/videoram", "0");
        yield return ($"{home}/store/port", Number(built.XenstorePort));
        yield return ($"{home}/store/ring-ref", Number((long)built.XenstoreFrame));
        yield return ($"{home}/console/backend-id", "0");
        yield return ($"{home}/console/limit", Number(ConsoleLimit));
        yield return ($"{home}/console/type", "xenod");
        yield return ($"{home}/console/port", Number(built.ConsolePort));
        yield return ($"{home}/console/ring-ref", Number((long)built.ConsoleFrame));
        yield return ($"{home}/control/platform-feature-multiprocessor-suspend", "1");
        yield return ($"{home}/control/platform-feature-xs_reset_watches", "1");
        yield return ($"{machine}/uuid", built.Uuid.ToString("D"));
        yield return ($"{machine}/name", configuration.Name);
        yield return ($"{machine}/start_time", string.Create(CultureInfo.InvariantCulture, $"{started.ToUnixTimeMilliseconds() / 1000.0:F2}"));
        yield return ($"{machine}/image/ostype", "linux");
        yield return ($"{machine}/image/kernel", configuration.Kernel ?? "");
        yield return ($"{machine}/image/ramdisk", configuration.Ramdisk ?? "");
        yield return ($"{machine}/image/cmdline", configuration.CommandLine);
    }

    private static async Task DirectoryAsync(IXenstoreNodes nodes, string path, XenstorePermission[] permissions, CancellationToken cancellation)
    {
        await nodes.MakeDirectoryAsync(path, cancellation).ConfigureAwait(false);
        await nodes.SetPermissionsAsync(path, permissions, cancellation).ConfigureAwait(false);
    }

    private static XenstorePermission[] ReadableBy(ushort id) => [XenstorePermission.Owner(0), XenstorePermission.Reader(id)];

    private static string VcpuPath(string home, int vcpu) => string.Create(CultureInfo.InvariantCulture, $"{home}/cpu/{vcpu}/availability");

    private static string MachinePath(Guid uuid) => $"/vm/{uuid:D}";
}
