// When translations were last dropped, so that a flush is made only where a stale translation may exist.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>
/// A clock that ticks at each complete flush of a processor. A frame that loses its last writable mapping is stamped with it; before
/// the frame becomes a table, translations older than the stamp must be gone from every processor on which its domain is loaded, or,
/// once it has lent frames to other domains, from every processor (one that loads another vcpu flushes by that). The flushes wait until
/// somebody could use a stale translation. On this processor that is at the return to a guest, or at the next copy to guest memory. Other
/// processors run guests all the while: they must have flushed before a frame becomes a table, before one that was a table can be written,
/// and before a frame that has been freed is given out.
/// </summary>
public static class TlbClock
{
    private const uint Mask = 0xFF_FFFF;

    private static uint s_now = 1;

    // Some other processor's flush is due.
    private static bool s_remoteIsDue;

    /// <summary>Stamp for a frame that may still be cached as writable: 24 bits.</summary>
    public static uint Stamp => s_now;

    /// <summary>Asks for a complete flush wherever the domain is loaded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void RequestFlush(ushort domain)
    {
        ProcessorTable.Current.NeedsFlush = true;
        if (ProcessorTable.Count > 1)
        {
            RequestElsewhere(domain, uint.MaxValue);
        }
    }

    /// <summary>Asks for a complete flush on this processor only.</summary>
    public static void RequestLocalFlush() => ProcessorTable.Current.NeedsFlush = true;

    /// <summary>Asks for a complete flush on the other processors that have the domain loaded.</summary>
    internal static void RequestFlushElsewhere(ushort domain) => RequestElsewhere(domain, uint.MaxValue);

    /// <summary>Asks for a complete flush where that vcpu is loaded.</summary>
    internal static void RequestFlush(ref Vcpu vcpu)
    {
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            if (processor.CurrentVcpu == vcpu.Index)
            {
                processor.NeedsFlush = true;
                s_remoteIsDue |= index != Cpu.Index;
            }
        }
    }

    /// <summary>Asks for a flush on each processor that has the domain loaded and has not flushed since the stamp.</summary>
    public static void RequestFlushSince(ushort domain, uint stamp)
    {
        ref Processor current = ref ProcessorTable.Current;
        current.NeedsFlush |= IsStale(ref current, stamp);
        if (ProcessorTable.Count > 1)
        {
            RequestElsewhere(domain, stamp);
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

        SettleElsewhere();
    }

    /// <summary>Waits until the other processors have done what has been asked for of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SettleElsewhere()
    {
        while (s_remoteIsDue)
        {
            FlushElsewhere();
        }
    }

    /// <summary>Notes that everything has been flushed on this processor (a new root was loaded, say).</summary>
    public static void Flushed() => Note(ref ProcessorTable.Current);

    private static void Note(ref Processor processor)
    {
        processor.NeedsFlush = false;
        s_now = (s_now + 1) & Mask;
        if (s_now == 0)
        {
            BeginEpoch();
        }

        processor.FlushedAt = s_now;
    }

    /// <summary>Stamps of the last round look younger than the clock: everybody flushes, so that they may.</summary>
    private static void BeginEpoch()
    {
        s_now = 1;
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            processor.NeedsFlush = true;
            processor.FlushedAt = s_now;
            s_remoteIsDue |= index != Cpu.Index;
        }
    }

    private static bool IsStale(ref Processor processor, uint stamp) => stamp == uint.MaxValue || (processor.FlushedAt <= stamp && stamp <= s_now);

    private static void RequestElsewhere(ushort domain, uint stamp)
    {
        LockOrder.AssertHeld();
        bool isLent = DomainTable.IsTaken(domain) && DomainTable.At(domain).Memory.IsLent;
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            if (index != Cpu.Index && (isLent || processor.LoadedDomain == domain) && IsStale(ref processor, stamp))
            {
                processor.NeedsFlush = true;
                s_remoteIsDue = true;
            }
        }
    }

    private static void FlushElsewhere()
    {
        LockOrder.AssertHeld();
        s_remoteIsDue = false;
        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            if (index != Cpu.Index && processor.NeedsFlush)
            {
                RemoteRequests.Post(ref processor, RemoteRequests.Flush);
            }
        }

        for (int index = 0; index < ProcessorTable.Count; index++)
        {
            ref Processor processor = ref ProcessorTable.At(index);
            if (index != Cpu.Index && processor.NeedsFlush)
            {
                RemoteRequests.Await(ref processor);
                Note(ref processor);
            }
        }
    }
}
