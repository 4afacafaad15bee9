// Memory that stays free when Domain 0 takes the rest.
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Boot.Domain0;

/// <summary>
/// A little low memory: Domain 0's kernel exchanges scattered pages for contiguous ones below 4 GiB (XENMEM_exchange), and the
/// hypervisor needs pages for event channels and grants.
/// </summary>
internal struct Reserve
{
    private const int BlockOrder = 9;
    private const int LowMemoryBits = 32;

    private Mfn _first;

    /// <summary>Frames that are kept free.</summary>
    internal const ulong Frames = 1 << BlockOrder;

    /// <summary>Takes the block out of the allocator while Domain 0 is filled.</summary>
    internal static Reserve Take()
    {
        Reserve reserve = default;
        reserve._first = FrameAllocator.TryAllocate(BlockOrder, LowMemoryBits, out Mfn first) ? first : Mfn.Invalid;
        return reserve;
    }

    internal readonly void GiveBack()
    {
        if (_first.IsValid)
        {
            FrameAllocator.Free(_first, BlockOrder);
        }
    }
}
