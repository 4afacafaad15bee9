// The grant table of a domain.
using System.Runtime.CompilerServices;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>Pages of version-1 entries that the domain shares with the hypervisor.</summary>
public struct DomainGrants
{
    /// <summary>Most pages a table can have.</summary>
    public const int MaximumFrames = 64;

    /// <summary>Entries of one page.</summary>
    public const int EntriesPerFrame = 512;

    private SharedFrames _shared;

    /// <summary>Pages that exist.</summary>
    public int FrameCount;

    public readonly Mfn FrameAt(int index) => _shared[index];

    public void AddFrame(Mfn frame) => _shared[FrameCount++] = frame;

    [InlineArray(MaximumFrames)]
    private struct SharedFrames
    {
        private Mfn _first;
    }
}
