// The table of all machine frames.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Memory;

/// <summary>One <see cref="FrameInfo"/> per frame below the end of RAM. Frames that are not RAM belong to DOMID_IO.</summary>
public static class FrameTable
{
    /// <summary>The first MiB always counts as I/O: option ROMs, the EBDA, what the firmware left there.</summary>
    public const ulong LowFrames = 256;

    private static Table<FrameInfo> s_frames;
    private static FrameInfo s_none = new() { OwnerWord = DomainIds.Invalid };

    public static ulong Count => (ulong)s_frames.Count;

    /// <summary>A region of <see cref="FrameRegions"/> has 2^this frames: at least 2 MiB.</summary>
    internal static int RegionShift { get; private set; }

    /// <summary>Takes a cleared table; every frame begins as I/O.</summary>
    public static void Initialize(Table<FrameInfo> frames)
    {
        s_frames = frames;
        RegionShift = 9;
        while ((ulong)frames.Count >> RegionShift > FrameRegions.Count)
        {
            RegionShift++;
        }

        for (int i = 0; i < frames.Count; i++)
        {
            frames[i].OwnerWord = DomainIds.Io;
        }
    }

    /// <summary>The entry of a frame that is known to be in the table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref FrameInfo At(Mfn frame) => ref s_frames[frame.Value];

    /// <summary>The entry of a frame, or one that belongs to DOMID_INVALID, which nobody is, when there is no such frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref FrameInfo Find(Mfn frame)
    {
        if (frame.Value >= (ulong)s_frames.Count)
        {
            return ref s_none;
        }

        return ref s_frames[frame.Value];
    }

    /// <summary>Whether the frame is RAM that some domain or the hypervisor owns; anything else is device space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsRam(Mfn frame) => frame.Value < (ulong)s_frames.Count && s_frames[frame.Value].Owner != DomainIds.Io;

    /// <summary>Whether the frame is RAM owned by exactly that domain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOwnedBy(Mfn frame, ushort owner) => frame.Value < (ulong)s_frames.Count && s_frames[frame.Value].Owner == owner;

    /// <summary>Marks frames as the hypervisor's own.</summary>
    public static void Reserve(Mfn first, ulong count)
    {
        for (ulong i = 0; i < count && first.Value + i < Count; i++)
        {
            At(first.Add(i)).Assign(DomainIds.Xen, false);
        }
    }
}
