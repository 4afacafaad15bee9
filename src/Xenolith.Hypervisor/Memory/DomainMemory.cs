// The memory of a domain, counted.
namespace Xenolith.Hypervisor.Memory;

/// <summary>How much a domain has and may have.</summary>
public struct DomainMemory
{
    /// <summary>Frames that are part of the domain.</summary>
    public ulong TotalPages;

    /// <summary>Most frames it may have.</summary>
    public ulong MaximumPages;
}
