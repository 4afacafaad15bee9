// Growing a grant table.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>The pages of a domain's grant table.</summary>
internal static class GrantTable
{
    /// <summary>Adds pages until there are <paramref name="frames"/>; a table never shrinks.</summary>
    internal static bool TryGrow(ref Domain domain, int frames)
    {
        while (domain.Grants.FrameCount < frames)
        {
            if (!DomainFrames.TryAllocateShared(ref domain, out Mfn frame))
            {
                return false;
            }

            domain.Grants.AddFrame(frame);
        }

        return true;
    }
}
