// What goes over the HTTP interface as JSON.
using System.Text.Json;
using System.Text.Json.Serialization;
using Xenod.Domains;
using Microsoft.AspNetCore.Mvc;

namespace Xenod.Http;

/// <summary>All domains.</summary>
/// <param name="Domains">In the order of their numbers.</param>
internal sealed record DomainList(IReadOnlyList<DomainView> Domains);

/// <summary>A domain that was made or found.</summary>
/// <param name="Domain">How it is now.</param>
/// <param name="Warnings">What of its configuration has no effect here.</param>
internal sealed record CreatedDomain(DomainView Domain, IReadOnlyList<string> Warnings);

/// <summary>Something that happened.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">Such as <c>domain.created</c>.</param>
/// <param name="Uuid">Which domain.</param>
/// <param name="Name">Its name then.</param>
/// <param name="Detail">More about it, or null.</param>
internal sealed record EventDocument(DateTimeOffset Time, string Kind, Guid Uuid, string Name, string? Detail);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DomainList))]
[JsonSerializable(typeof(CreatedDomain))]
[JsonSerializable(typeof(DomainChange))]
[JsonSerializable(typeof(EventDocument))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(ProblemDetails))]
internal sealed partial class ApiJson : JsonSerializerContext;
