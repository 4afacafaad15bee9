// A port that Domain 0 passes on.
using System.Net;

namespace Xenolith.Toolstack.Networks;

/// <summary>A port of Domain 0 that goes to a guest.</summary>
/// <param name="Protocol"><c>tcp</c> or <c>udp</c>.</param>
/// <param name="Port">Domain 0's.</param>
/// <param name="Address">The guest's address, of either family.</param>
/// <param name="GuestPort">The guest's port.</param>
public sealed record ForwardedPort(string Protocol, ushort Port, IPAddress Address, ushort GuestPort);
