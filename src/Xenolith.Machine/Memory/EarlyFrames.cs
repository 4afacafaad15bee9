// Frames for the hypervisor's own tables, before the frame allocator exists.
namespace Xenolith.Machine;

/// <summary>A bump allocator over one range of free RAM; what is left goes to the frame allocator.</summary>
public static class EarlyFrames
{
    private static ulong s_next;
    private static ulong s_end;

    // What an alignment left out, for later small requests.
    private static ulong s_skipped;
    private static ulong s_skippedEnd;

    /// <summary>First frame not yet given out.</summary>
    public static Mfn Next => new(s_next);

    /// <summary>Frames before <see cref="Next"/> that are not given out either: from here to <see cref="UnusedEnd"/>.</summary>
    public static Mfn UnusedStart => new(s_skipped);

    public static Mfn UnusedEnd => new(s_skippedEnd);

    public static void Initialize(Mfn start, ulong count)
    {
        s_next = start.Value;
        s_end = start.Value + count;
    }

    /// <summary>Cleared, contiguous frames, aligned to a power of two of frames; panics when the machine has too little memory.</summary>
    public static Mfn Allocate(ulong count, ulong alignment = 1)
    {
        if (alignment == 1 && s_skippedEnd - s_skipped >= count)
        {
            s_skipped += count;
            return Cleared(s_skipped - count, count);
        }

        ulong first = (s_next + alignment - 1) & ~(alignment - 1);
        if (first + count > s_end || first + count < first)
        {
            Fatal.Panic("too little memory for the hypervisor's own tables: give the machine more RAM"u8);
        }

        if (first - s_next > s_skippedEnd - s_skipped)
        {
            s_skipped = s_next;
            s_skippedEnd = first;
        }

        s_next = first + count;
        return Cleared(first, count);
    }

    private static Mfn Cleared(ulong first, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            PhysicalMemory.Clear(new Mfn(first + i));
        }

        return new Mfn(first);
    }
}
