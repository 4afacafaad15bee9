// A network interface of a domain as the configuration describes it.
using System.Net.NetworkInformation;

namespace Xenolith.Toolstack.Configuration;

/// <summary>A network interface of a domain. Without anything said it joins the private network with a generated address.</summary>
public sealed record InterfaceSpecification
{
    /// <summary>As it was written.</summary>
    public string Text { get; init; } = "";

    /// <summary>The Ethernet address; null = generated from the domain's uuid, and so the same at each start.</summary>
    public PhysicalAddress? Mac { get; init; }

    /// <summary>The bridge of Domain 0 it joins; null = the private network's.</summary>
    public string? Bridge { get; init; }

    /// <summary>Its name in Domain 0; null = vifDOMID.INDEX.</summary>
    public string? Name { get; init; }

    /// <summary>The addresses that the guest is given.</summary>
    public IReadOnlyList<string> Addresses { get; init; } = [];

    /// <summary>The device of Domain 0 on whose network a routed interface's addresses lie; null = it joins a bridge.</summary>
    public string? GatewayDevice { get; init; }

    /// <summary>Its firewall, in force before its first packet (<see cref="Networks.FirewallRule"/>).</summary>
    public IReadOnlyList<string> Rules { get; init; } = [];

    /// <summary>How fast it may send; null = as fast as it goes.</summary>
    public NetworkRate? Rate { get; init; }

    /// <summary>The largest packet in bytes; null = the bridge's.</summary>
    public int? Mtu { get; init; }
}
