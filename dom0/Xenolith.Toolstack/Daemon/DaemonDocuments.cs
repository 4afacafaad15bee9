// What goes over the daemon's HTTP interface as JSON.
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Xenolith.Toolstack.Daemon;

/// <summary>All domains.</summary>
/// <param name="Domains">Those that the hypervisor has, in the order of their numbers, and those that are being made.</param>
public sealed record DomainList(IReadOnlyList<DomainView> Domains);

/// <summary>A domain that was made or found.</summary>
/// <param name="Domain">How it is now.</param>
/// <param name="IsNew">Whether it has been made now.</param>
/// <param name="Warnings">What of its configuration has no effect here.</param>
public sealed record CreatedDomain(DomainView Domain, bool IsNew, IReadOnlyList<string> Warnings);

/// <summary>What of a domain is to change; null leaves it as it is.</summary>
/// <param name="Memory">MiB.</param>
/// <param name="Vcpus">How many are on.</param>
/// <param name="Weight">1 to 65535.</param>
/// <param name="Cap">Percent of one processor; 0 = no limit.</param>
public sealed record DomainChange(int? Memory = null, int? Vcpus = null, int? Weight = null, int? Cap = null);

/// <summary>Something that has happened to a domain.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">Such as <c>domain.created</c>.</param>
/// <param name="Uuid">Which domain.</param>
/// <param name="Name">Its name then.</param>
/// <param name="Detail">More about it, or null.</param>
public sealed record DomainEvent(DateTimeOffset Time, string Kind, Guid Uuid, string Name, string? Detail);

/// <summary>Why a request was not done (RFC 9457).</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What the status means.</param>
/// <param name="Detail">One sentence that says what, why, and what to do.</param>
public sealed record Problem(int? Status, string? Title, string? Detail);

/// <summary>Writers and readers made when the library is compiled.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DomainList))]
[JsonSerializable(typeof(CreatedDomain))]
[JsonSerializable(typeof(DomainChange))]
[JsonSerializable(typeof(DomainEvent))]
[JsonSerializable(typeof(DiskList))]
[JsonSerializable(typeof(DiskRequest))]
[JsonSerializable(typeof(InterfaceList))]
[JsonSerializable(typeof(InterfaceRequest))]
[JsonSerializable(typeof(RuleList))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class DaemonJson : JsonSerializerContext;
