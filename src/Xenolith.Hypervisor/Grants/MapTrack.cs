// Handles: the names by which a domain undoes its mappings of grants.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>The mappings that a domain holds of others' grants (or of its own).</summary>
internal static class MapTrack
{
    private const uint Mapped = GrantMapFlags.HostMap | GrantMapFlags.DeviceMap;

    /// <summary>A free handle. False: the domain has as many mappings as it may, or no memory.</summary>
    internal static bool TryAllocate(ref Domain domain, out uint handle)
    {
        handle = 0;
        ref DomainGrants grants = ref domain.Grants;
        if (grants.FreeHandle == 0 && !TryAddPage(ref domain))
        {
            return false;
        }

        handle = grants.FreeHandle - 1;
        grants.FreeHandle = grants.HandleAt(handle).Reference;
        return true;
    }

    internal static void Free(ref Domain domain, uint handle)
    {
        ref DomainGrants grants = ref domain.Grants;
        grants.HandleAt(handle) = new MapTrackEntry { Reference = grants.FreeHandle };
        grants.FreeHandle = handle + 1;
    }

    /// <summary>Whether the handle names a mapping.</summary>
    internal static bool IsLive(ref Domain domain, uint handle)
        => handle < domain.Grants.HandleCount && (domain.Grants.HandleAt(handle).Flags & Mapped) != 0;

    private static bool TryAddPage(ref Domain domain)
    {
        ref DomainGrants grants = ref domain.Grants;
        if ((uint)grants.HandlePageCount >= domain.Settings.MaximumHandlePages || !GrantTable.TryPrepare(ref domain) || !DomainFrames.TryAllocateOwn(out Mfn page))
        {
            return false;
        }

        uint first = grants.HandleCount;
        grants.AddHandlePage(page);
        for (uint handle = grants.HandleCount; handle > first; handle--)
        {
            Free(ref domain, handle - 1);
        }

        return true;
    }
}
