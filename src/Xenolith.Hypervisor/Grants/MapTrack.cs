// Handles: the names by which a domain undoes its mappings of grants.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>The mappings that a domain holds of others' grants (or of its own).</summary>
internal static class MapTrack
{
    private const uint Mapped = GrantMapFlags.HostMap | GrantMapFlags.DeviceMap;

    // Stands for handles that name no mapping; never written.
    private static MapTrackEntry s_none;

    /// <summary>Sees to it that there is a free handle. False: the domain has as many mappings as it may, or no memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool HasFree(ref Domain domain) => domain.Grants.FreeHandle != 0 || TryAddPage(ref domain);

    /// <summary>Takes the free handle that <see cref="HasFree"/> has found, for a mapping.</summary>
    internal static uint Take(ref Domain domain, MapTrackEntry mapping)
    {
        ref DomainGrants grants = ref domain.Grants;
        uint handle = grants.FreeHandle - 1;
        ref MapTrackEntry entry = ref grants.HandleAt(handle);
        grants.FreeHandle = entry.Reference;
        entry = mapping;
        return handle;
    }

    internal static void Free(ref Domain domain, uint handle)
    {
        ref DomainGrants grants = ref domain.Grants;
        grants.HandleAt(handle) = new MapTrackEntry { Reference = grants.FreeHandle };
        grants.FreeHandle = handle + 1;
    }

    /// <summary>The mapping that a handle names; one without <see cref="IsLive"/> when it names none.</summary>
    internal static ref MapTrackEntry Find(ref Domain domain, uint handle)
    {
        if (handle >= domain.Grants.HandleCount)
        {
            return ref s_none;
        }

        return ref domain.Grants.HandleAt(handle);
    }

    /// <summary>Whether it is a mapping, and not a free handle.</summary>
    internal static bool IsLive(in MapTrackEntry entry) => (entry.Flags & Mapped) != 0;

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
