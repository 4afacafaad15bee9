// Growing a grant table.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>The pages of a domain's grant table.</summary>
internal static class GrantTable
{
    /// <summary>Adds pages until there are <paramref name="frames"/>; a table never shrinks. False: more than the limit, or no memory.</summary>
    internal static bool TryGrow(ref Domain domain, uint frames)
    {
        if (frames > domain.Settings.MaximumGrantFrames || !TryPrepare(ref domain))
        {
            return false;
        }

        while ((uint)domain.Grants.FrameCount < frames)
        {
            if (!TryAddFrame(ref domain))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The directory page. False: no memory.</summary>
    internal static bool TryPrepare(ref Domain domain)
    {
        ref DomainGrants grants = ref domain.Grants;
        if (!grants.HasDirectory)
        {
            grants.HasDirectory = DomainFrames.TryAllocateOwn(out grants.Directory);
        }

        return grants.HasDirectory;
    }

    /// <summary>Gives all pages back; no grant of the domain's is in use, and it has no mappings.</summary>
    internal static void Release(ref Domain domain)
    {
        DomainGrants grants = domain.Grants;
        if (!grants.HasDirectory)
        {
            return;
        }

        domain.Grants = default;
        for (int page = 0; page < grants.HandlePageCount; page++)
        {
            DomainFrames.FreeOwn(grants.HandlePageAt(page));
        }

        for (int frame = 0; frame < grants.FrameCount; frame++)
        {
            DomainFrames.ReleaseShared(grants.FrameAt(frame));
            for (int page = 0; page < DomainGrants.ActivePagesPerFrame; page++)
            {
                DomainFrames.FreeOwn(grants.ActivePageAt((frame * DomainGrants.ActivePagesPerFrame) + page));
            }
        }

        DomainFrames.FreeOwn(grants.Directory);
    }

    /// <summary>One shared page with its private pages, or nothing.</summary>
    private static bool TryAddFrame(ref Domain domain)
    {
        if (!DomainFrames.TryAllocateOwn(out Mfn first))
        {
            return false;
        }

        if (!DomainFrames.TryAllocateOwn(out Mfn second))
        {
            DomainFrames.FreeOwn(first);
            return false;
        }

        if (!DomainFrames.TryAllocateShared(ref domain, out Mfn shared))
        {
            DomainFrames.FreeOwn(second);
            DomainFrames.FreeOwn(first);
            return false;
        }

        domain.Grants.AddFrame(shared, first, second);
        return true;
    }
}
