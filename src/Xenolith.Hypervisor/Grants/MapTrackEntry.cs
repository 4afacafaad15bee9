// One mapping of a grant, as the mapping domain names it by its handle.
using System.Runtime.InteropServices;

namespace Xenolith.Hypervisor.Grants;

/// <summary>8 bytes. A free one holds the link of the free list in <see cref="Reference"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MapTrackEntry
{
    /// <summary>Grant reference in the granting domain's table.</summary>
    public uint Reference;

    /// <summary>The granting domain.</summary>
    public ushort DomainId;

    /// <summary>GNTMAP_* of what is still mapped; without a host or a device mapping the handle is free.</summary>
    public ushort Flags;
}
