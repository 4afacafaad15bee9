// The M2P table: which pseudo-physical frame a machine frame is, readable by every guest.
namespace Xenolith.Machine;

/// <summary>The table at 0xffff800000000000 (public xen-x86_64.h, MACH2PHYS_VIRT_START). It informs; nothing is decided by it.</summary>
public static class MachineToPhysical
{
    /// <summary>Entry of a frame that is nobody's.</summary>
    public const ulong InvalidEntry = ~0UL;

    private static Table<ulong> s_entries;

    /// <summary>Number of entries.</summary>
    public static ulong Count => (ulong)s_entries.Count;

    /// <summary>First frame of the table, which is contiguous and a multiple of 2 MiB in place and size.</summary>
    public static Mfn FirstFrame { get; private set; }

    /// <summary>Frames of the table.</summary>
    public static ulong Frames => Count / 512;

    /// <summary>The entry of a frame; <see cref="InvalidEntry"/> beyond the table.</summary>
    public static ulong Get(Mfn frame) => frame.Value < Count ? s_entries[frame.Value] : InvalidEntry;

    /// <summary>Sets the entry of a frame; beyond the table nothing happens.</summary>
    public static void Set(Mfn frame, ulong pfn)
    {
        if (frame.Value < Count)
        {
            s_entries[frame.Value] = pfn;
        }
    }

    internal static void Initialize(Mfn first, Table<ulong> entries)
    {
        FirstFrame = first;
        s_entries = entries;
        for (int i = 0; i < entries.Count; i++)
        {
            entries[i] = InvalidEntry;
        }
    }
}
