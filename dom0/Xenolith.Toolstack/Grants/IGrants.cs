// Pages that other domains grant to this one.
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Grants;

/// <summary>Mapping by grant. <see cref="Open"/> gives that of the machine; tests put another in its place.</summary>
public interface IGrants : IDisposable
{
    /// <summary>The machine's, through /dev/xen/gntdev.</summary>
    /// <exception cref="HypervisorUnavailableException">There is none, or this is not Domain 0's root.</exception>
    static IGrants Open() => Interop.GrantDevice.Open();

    /// <summary>Maps granted pages, one behind the other. The mapping stays valid, and the pages stay the domain's, until it is disposed of.</summary>
    /// <param name="domain">Who grants them.</param>
    /// <param name="references">Their grant references.</param>
    /// <param name="isWritable">Whether this side writes as well.</param>
    /// <exception cref="XenException">A page is not granted; then none is mapped.</exception>
    ForeignMapping Map(ushort domain, ReadOnlySpan<uint> references, bool isWritable);
}
