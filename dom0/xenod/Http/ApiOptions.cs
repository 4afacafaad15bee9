// Where the HTTP interface listens.
using System.Net;

namespace Xenod.Http;

/// <summary>Where the HTTP interface listens.</summary>
/// <param name="SocketPath">A Unix socket that root alone can open.</param>
/// <param name="Tcp">An address besides, or null.</param>
/// <param name="Token">What clients of that address have to show as <c>Authorization: Bearer</c>.</param>
internal sealed record ApiOptions(string SocketPath, IPEndPoint? Tcp = null, string? Token = null);
