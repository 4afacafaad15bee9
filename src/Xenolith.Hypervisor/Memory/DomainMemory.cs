// The memory of a domain, counted.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>How much a domain has and may have.</summary>
public struct DomainMemory
{
    /// <summary>Frames that are part of the domain.</summary>
    public ulong TotalPages;

    /// <summary>
    /// Frames that carry its id: those that are part of it, the pages that the hypervisor shares with it, and those that it has given up
    /// while somebody still refers to them. Its slot is free for another domain only when there are none.
    /// </summary>
    public ulong OwnedFrames;

    /// <summary>Where in the machine's memory it has had frames.</summary>
    public FrameRegions Regions;

    /// <summary>Most frames it may have.</summary>
    public ulong MaximumPages;

    /// <summary>
    /// Another domain has been given mappings of its frames, by a grant or as its controller: translations may be left wherever that
    /// other domain is loaded. It stays so.
    /// </summary>
    public bool IsLent;

    /// <summary>Free frames kept back for it (XENMEM_claim_pages); they become fewer as it grows.</summary>
    public ulong StakedPages;

    /// <summary>Page of E820 entries that the toolstack has given it, meaningful when <see cref="MapEntries"/> is not 0.</summary>
    public Mfn Map;
    public int MapEntries;
}
