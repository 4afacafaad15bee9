// The private network of the domains.
using System.Net;

namespace Xenod.Networks;

/// <summary>What the private network is made of.</summary>
internal sealed record NetworkOptions
{
    /// <summary>The bridge that interfaces join which name no other.</summary>
    public string Bridge { get; init; } = "xenbr0";

    /// <summary>Its addresses; Domain 0 has the first, the guests the others.</summary>
    public IPNetwork Network { get; init; } = IPNetwork.Parse("10.87.0.0/24");

    /// <summary>
    /// Its addresses of IPv6, 64 bits of network (RFC 4193; the letters of "Xenol"): Domain 0 has the first, guests make theirs of their Ethernet
    /// addresses. Null: none.
    /// </summary>
    public IPNetwork? Network6 { get; init; } = IPNetwork.Parse("fd58:656e:6f6c::/64");

    /// <summary>Domain 0's address of IPv6, or null.</summary>
    public IPAddress? Gateway6 => Network6 is { } network ? new IPAddress([.. network.BaseAddress.GetAddressBytes()[..15], 1]) : null;

    /// <summary>Holds the addresses that guests have been given, for the DHCP server and for later starts.</summary>
    public string Hosts { get; init; } = "/var/lib/xenolith/network/hosts";

    /// <summary>Holds what lasts as long as the machine runs.</summary>
    public string Run { get; init; } = "/run/xenolith";
}
