// What the daemon keeps of a domain that it has made.
using System.Text.Json;
using System.Text.Json.Serialization;
using Xenod.Devices;

namespace Xenod.Domains;

/// <summary>A domain that the daemon has made or is about to make; enough to go on with it after the daemon was killed.</summary>
/// <param name="Uuid">Its own for ever; also the hypervisor's handle of it.</param>
/// <param name="Name">Unique among the domains that there are.</param>
/// <param name="Settings">Its configuration: a JSON object with the keys of xl.cfg.</param>
internal sealed record DomainRecord(Guid Uuid, string Name, JsonElement Settings)
{
    /// <summary>The hypervisor's number for it; null while it is being built.</summary>
    public ushort? Id { get; init; }

    /// <summary>Machine frame of its console ring.</summary>
    public ulong ConsoleFrame { get; init; }

    /// <summary>Its port for console events.</summary>
    public uint ConsolePort { get; init; }

    /// <summary>Where in the console's log its first byte is.</summary>
    public long ConsoleStart { get; init; }

    /// <summary>When it was started last.</summary>
    public DateTimeOffset Started { get; init; }

    /// <summary>The devices for its next start; null = those of its settings.</summary>
    public DeviceSettings? Devices { get; init; }

    /// <summary>Why it has ended, when it has and is kept all the same.</summary>
    public string? Ended { get; init; }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DomainRecord))]
internal sealed partial class DomainRecordJson : JsonSerializerContext;
