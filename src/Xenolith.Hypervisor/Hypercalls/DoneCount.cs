// The counter in guest memory through which a batch says how far it got.
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>A 32-bit counter of a guest, added to over the restarts of a continued call.</summary>
internal static class DoneCount
{
    internal static bool TryReset(ulong address)
    {
        TlbClock.Settle();
        return GuestMemory.TryWrite(new GuestAddress(address), 0u);
    }

    internal static void Add(ulong address, uint count)
    {
        TlbClock.Settle();
        if (GuestMemory.TryRead(new GuestAddress(address), out uint old))
        {
            GuestMemory.TryWrite(new GuestAddress(address), old + count);
        }
    }
}
