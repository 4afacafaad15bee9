// Twin of Memory/PhysicalMemory.cs: RAM is a block of this process.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>Frames of the fake machine's RAM, with the checks of the real one.</summary>
public static unsafe class PhysicalMemory
{
    public const ulong DirectMapStart = 0xFFFF_8300_0000_0000;

    private static ulong s_imageStart;
    private static ulong s_imageFrames;

    public static ulong FrameCount { get; private set; }

    public static Span<byte> Bytes(Mfn frame) => new(DirectMap(frame, 1), 4096);

    public static Span<ulong> Words(Mfn frame) => new(DirectMap(frame, 1), 512);

    public static ref ulong Word(Mfn frame, int index) => ref ((ulong*)DirectMap(frame, 1))[index & 511];

    public static ulong WordOrZero(Mfn frame, int index) => frame.Value < FrameCount ? Word(frame, index) : 0;

    public static ref uint Word32(Mfn frame, int byteOffset) => ref ((uint*)DirectMap(frame, 1))[(byteOffset & 4095) >> 2];

    public static ref byte Byte(Mfn frame, int offset) => ref ((byte*)DirectMap(frame, 1))[offset & 4095];

    public static ref T At<T>(Mfn frame, int offset)
        where T : unmanaged
    {
        if ((uint)offset > (uint)(4096 - sizeof(T)))
        {
            Fatal.TableIndex();
        }

        // SAFETY: the struct lies within the frame that DirectMap checked.
        return ref *(T*)((byte*)DirectMap(frame, 1) + offset);
    }

    public static Span<byte> Range(MachineAddress start, int bytes)
    {
        if (bytes < 0)
        {
            Fatal.TableIndex();
        }

        ulong frames = ((ulong)start.Offset + (ulong)bytes + 4095) >> 12;
        return new Span<byte>((byte*)DirectMap(start.Frame, frames) + start.Offset, bytes);
    }

    public static bool TryRange(MachineAddress start, int bytes, out Span<byte> range)
    {
        ulong first = start.Frame.Value;
        ulong frames = ((ulong)start.Offset + (ulong)Math.Max(bytes, 0) + 4095) >> 12;
        bool isCovered = bytes >= 0 && first < FrameCount && frames <= FrameCount - first;
        bool isOutside = first >= s_imageStart + s_imageFrames || first + frames <= s_imageStart;
        range = isCovered && isOutside ? Range(start, bytes) : default;
        return isCovered && isOutside;
    }

    public static void Clear(Mfn frame) => NativeMemory.Clear(DirectMap(frame, 1), 4096);

    public static void Copy(Mfn to, Mfn from) => Native.CopyPage((byte*)DirectMap(to, 1), (byte*)DirectMap(from, 1));

    public static ulong CompareExchange(Mfn frame, int index, ulong value, ulong comparand)
        => ControlledInterlocked.CompareExchange(ref Word(frame, index), value, comparand);

    /// <summary>The address that the real machine would have; nothing in a test can use it.</summary>
    public static ulong DirectMapAddress(Mfn frame, int offset)
    {
        _ = DirectMap(frame, 1);
        return DirectMapStart + (frame.Value << 12) + ((ulong)offset & 4095);
    }

    internal static void* DirectMap(Mfn first, ulong frames)
    {
        // SAFETY: the sum cannot wrap when both terms are at most the frame count, which is RAM's.
        bool outside = first.Value >= FrameCount || frames > FrameCount - first.Value;
        bool inImage = first.Value < s_imageStart + s_imageFrames && first.Value + frames > s_imageStart;
        if (outside || inImage)
        {
            Fatal.Panic("access to physical memory outside the direct map"u8);
        }

        return FakeMachine.Ram + (first.Value << 12);
    }

    internal static void SetBounds(ulong frameCount, Mfn imageStart, ulong imageFrames)
    {
        FrameCount = Math.Min(frameCount, FakeMachine.FrameCount);
        s_imageStart = imageStart.Value;
        s_imageFrames = imageFrames;
    }
}
