// How the HTTP interface's documents are written.
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DomainList))]
[JsonSerializable(typeof(CreatedDomain))]
[JsonSerializable(typeof(DomainChange))]
[JsonSerializable(typeof(DomainEvent))]
[JsonSerializable(typeof(VcpuList))]
[JsonSerializable(typeof(MachineView))]
[JsonSerializable(typeof(DiskList))]
[JsonSerializable(typeof(DiskRequest))]
[JsonSerializable(typeof(InterfaceList))]
[JsonSerializable(typeof(InterfaceRequest))]
[JsonSerializable(typeof(RuleList))]
[JsonSerializable(typeof(JsonElement))]
[JsonSerializable(typeof(ProblemDetails))]
internal sealed partial class ApiJson : JsonSerializerContext;
