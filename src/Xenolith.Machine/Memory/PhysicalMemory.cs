// RAM as the hypervisor sees it: through the direct map.
using System.Runtime.CompilerServices;
using System.Threading;

namespace Xenolith.Machine;

/// <summary>
/// Frames of RAM by number. Each access is checked against the end of the direct map and against the hypervisor's own image, so
/// that no number, wherever it came from, reaches code or data of the hypervisor.
/// </summary>
public static unsafe class PhysicalMemory
{
    /// <summary>Hypervisor address of physical address 0 (L4 slot 262).</summary>
    public const ulong DirectMapStart = 0xFFFF_8300_0000_0000;

    private static ulong s_frameCount = 0x10_0000;
    private static ulong s_imageStart;
    private static ulong s_imageFrames;

    /// <summary>Frames that the direct map covers: one more than the highest frame of RAM.</summary>
    public static ulong FrameCount => s_frameCount;

    public static Span<byte> Bytes(Mfn frame) => new(DirectMap(frame), 4096);

    public static Span<ulong> Words(Mfn frame) => new(DirectMap(frame), 512);

    /// <summary>One of the 512 words of a frame; only the low 9 bits of the index count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref ulong Word(Mfn frame, int index) => ref ((ulong*)DirectMap(frame))[index & 511];

    /// <summary>As <see cref="Word"/>, to read a number that may name no RAM at all: then 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong WordOrZero(Mfn frame, int index)
        => frame.Value < s_frameCount ? ((ulong*)(DirectMapStart + (frame.Value << 12)))[index & 511] : 0;

    /// <summary>The 32-bit word at a byte offset, which is rounded down to a multiple of 4 below 4096.</summary>
    public static ref uint Word32(Mfn frame, int byteOffset) => ref ((uint*)DirectMap(frame))[(byteOffset & 4095) >> 2];

    public static ref byte Byte(Mfn frame, int offset) => ref ((byte*)DirectMap(frame))[offset & 4095];

    /// <summary>A struct inside a frame; panics when it would reach beyond it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref T At<T>(Mfn frame, int offset)
        where T : unmanaged
    {
        if ((uint)offset > (uint)(4096 - sizeof(T)))
        {
            Fatal.TableIndex();
        }

        // SAFETY: the struct lies within the frame that DirectMap checked.
        return ref *(T*)((byte*)DirectMap(frame) + offset);
    }

    /// <summary>A range of physical memory below the end of the direct map: modules of the loader, firmware tables.</summary>
    public static Span<byte> Range(MachineAddress start, int bytes)
    {
        if (bytes < 0)
        {
            Fatal.TableIndex();
        }

        ulong frames = ((ulong)start.Offset + (ulong)bytes + 4095) >> 12;
        return new Span<byte>((byte*)DirectMap(start.Frame, frames) + start.Offset, bytes);
    }

    /// <summary>As <see cref="Range"/> for a range that somebody else names: false when it is not all RAM that may be looked at.</summary>
    public static bool TryRange(MachineAddress start, int bytes, out Span<byte> range)
    {
        ulong first = start.Frame.Value;
        ulong frames = ((ulong)start.Offset + (ulong)Math.Max(bytes, 0) + 4095) >> 12;
        bool isCovered = bytes >= 0 && first < s_frameCount && frames <= s_frameCount - first;
        bool isOutside = first >= s_imageStart + s_imageFrames || first + frames <= s_imageStart;
        range = isCovered && isOutside ? Range(start, bytes) : default;
        return isCovered && isOutside;
    }

    /// <summary>Fills the frame with zeros, eight words a step: under a translator a string instruction takes longer.</summary>
    public static void Clear(Mfn frame)
    {
        const int WordsPerStep = 8;

        // SAFETY: the 512 words of the frame that DirectMap checked.
        ulong* at = (ulong*)DirectMap(frame);
        for (ulong* end = at + 512; at != end; at += WordsPerStep)
        {
            at[0] = 0;
            at[1] = 0;
            at[2] = 0;
            at[3] = 0;
            at[4] = 0;
            at[5] = 0;
            at[6] = 0;
            at[7] = 0;
        }
    }

    public static void Copy(Mfn to, Mfn from) => Native.CopyPage((byte*)DirectMap(to), (byte*)DirectMap(from));

    /// <summary>Compare-exchange on one of the 512 words of a frame; gives the value found.</summary>
    public static ulong CompareExchange(Mfn frame, int index, ulong value, ulong comparand)
        => Interlocked.CompareExchange(ref Word(frame, index), value, comparand);

    /// <summary>Hypervisor address of a byte of a frame, for the entry path's fields.</summary>
    public static ulong DirectMapAddress(Mfn frame, int offset) => (ulong)DirectMap(frame) + ((ulong)offset & 4095);

    /// <summary>Pointer to a frame; panics unless the direct map covers it and it is none of the image's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void* DirectMap(Mfn frame)
    {
        // SAFETY: below the image the difference wraps to a large number.
        if (frame.Value >= s_frameCount || frame.Value - s_imageStart < s_imageFrames)
        {
            Outside();
        }

        return (void*)(DirectMapStart + (frame.Value << 12));
    }

    /// <summary>Pointer to the first of some frames; panics unless all are covered by the direct map and none is the image's.</summary>
    internal static void* DirectMap(Mfn first, ulong frames)
    {
        // SAFETY: the sum cannot wrap when both terms are at most the frame count.
        if (first.Value >= s_frameCount || frames > s_frameCount - first.Value)
        {
            Outside();
        }

        if (first.Value < s_imageStart + s_imageFrames && first.Value + frames > s_imageStart)
        {
            Outside();
        }

        return (void*)(DirectMapStart + (first.Value << 12));
    }

    /// <summary>Sets what the direct map covers and where the image lies; once, when the map is complete.</summary>
    internal static void SetBounds(ulong frameCount, Mfn imageStart, ulong imageFrames)
    {
        s_frameCount = frameCount;
        s_imageStart = imageStart.Value;
        s_imageFrames = imageFrames;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Outside() => Fatal.Panic("access to physical memory outside the direct map"u8);
}
