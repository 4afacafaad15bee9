// What Domain 0's kernel does for networks.
using System.Net;

namespace Xenod.Networks;

/// <summary>Domain 0's bridges, interfaces and packet filter; tests have others.</summary>
internal interface INetworkHost
{
    /// <summary>Makes the private network's bridge, its address service and the tables of the packet filter, where they are not there.</summary>
    /// <exception cref="IOException">Something that it needs is missing; the message says what.</exception>
    Task PrepareAsync(CancellationToken cancellation);

    /// <summary>
    /// Makes a bridge for one interface alone, which Domain 0 stands behind as a router: it passes on what goes to some addresses, and answers for them
    /// on the network where they lie.
    /// </summary>
    /// <param name="bridge">The name that the bridge gets.</param>
    /// <param name="gateway">The device of Domain 0 on that network.</param>
    /// <param name="addresses">The addresses.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">It cannot be done; the message says why.</exception>
    Task RouteAsync(string bridge, string gateway, IReadOnlyList<IPAddress> addresses, CancellationToken cancellation);

    /// <summary>Takes back what <see cref="RouteAsync"/> has made, as far as it is there.</summary>
    Task UnrouteAsync(string bridge);

    /// <summary>Whether there is such a bridge.</summary>
    bool IsBridge(string name);

    /// <summary>The names of all bridges.</summary>
    IReadOnlyList<string> Bridges();

    /// <summary>Gives an interface that the kernel has just made its name, joins it with a bridge and switches it on.</summary>
    /// <param name="device">The kernel's name for it.</param>
    /// <param name="name">The name that it gets.</param>
    /// <param name="bridge">The bridge.</param>
    /// <param name="mtu">Bytes of the largest packet, or null for the bridge's.</param>
    /// <param name="script">The packet filter's rules for it, in force before its first packet.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="IOException">It cannot be done; the message says why.</exception>
    Task JoinAsync(string device, string name, string bridge, int? mtu, string script, CancellationToken cancellation);

    /// <summary>Applies a script of the packet filter, all of it or nothing.</summary>
    /// <exception cref="IOException">It is refused.</exception>
    Task FilterAsync(string script, CancellationToken cancellation);

    /// <summary>What a chain of the packet filter has counted: comment of the rule, packets, bytes.</summary>
    Task<IReadOnlyList<(string Rule, long Packets, long Bytes)>> CountersAsync(string chain, CancellationToken cancellation);

    /// <summary>What the packet filter knows of interfaces; nothing where its tables are not made yet.</summary>
    Task<FilterState> ReadFilterAsync(CancellationToken cancellation);
}
