// When translations were last dropped, so that a flush is made only where a stale translation may exist.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>
/// A clock that ticks at each complete flush. A frame that loses its last writable mapping is stamped with it; before the frame
/// becomes a table, translations older than the stamp must be gone. The flush itself waits until the guest could use the stale
/// translation: the return to it, or the next copy to its memory.
/// </summary>
public static class TlbClock
{
    private const uint Mask = 0xFF_FFFF;

    private static ulong s_now = 1;

    /// <summary>Stamp for a frame that may still be cached as writable.</summary>
    public static uint Stamp => (uint)s_now & Mask;

    /// <summary>Asks for a complete flush before the guest runs or its memory is written.</summary>
    public static void RequestFlush() => ProcessorTable.Current.NeedsFlush = true;

    /// <summary>Asks for a flush if none has happened since the stamp.</summary>
    public static void RequestFlushSince(uint stamp)
    {
        if (stamp == Stamp)
        {
            RequestFlush();
        }
    }

    /// <summary>Does what has been asked for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Settle()
    {
        if (ProcessorTable.Current.NeedsFlush)
        {
            Tlb.FlushAll();
            Flushed();
        }
    }

    /// <summary>Notes that everything has been flushed (a new root was loaded, say).</summary>
    public static void Flushed()
    {
        ProcessorTable.Current.NeedsFlush = false;
        s_now++;
    }
}
