// What a kernel's segments cover.
using Xenolith.Abi;

namespace Xenolith.Loading;

/// <summary>The range of physical addresses that a kernel is linked for.</summary>
internal static class KernelExtent
{
    private const ulong MaximumKernelBytes = 1UL << 30;
    private const ulong LowerHalfEnd = 0x0000_8000_0000_0000;

    /// <summary>Lowest and highest physical address of the segments. Errors: OverlappingSegments, HypervisorTooLow.</summary>
    internal static LoadError TryMeasure(in Elf64 elf, in XenNotes notes, out ulong start, out ulong end)
    {
        start = ulong.MaxValue;
        end = 0;
        for (int i = 0; i < elf.SegmentCount; i++)
        {
            Elf64.Segment segment = elf.SegmentAt(i);
            if (segment.IsLoad)
            {
                start = Math.Min(start, segment.Physical);
                end = Math.Max(end, segment.Physical + segment.MemoryBytes);
            }
        }

        if (end == 0 || end - start > MaximumKernelBytes || start < notes.PhysicalOffset)
        {
            return LoadError.OverlappingSegments;
        }

        ulong kernelStart = start - notes.PhysicalOffset + notes.VirtualBase;
        ulong kernelEnd = end - notes.PhysicalOffset + notes.VirtualBase;
        if (!IsGuestRange(notes.VirtualBase, kernelEnd - notes.VirtualBase) || notes.Entry < kernelStart || notes.Entry >= kernelEnd
            || (notes.HasHypercallPage && (notes.HypercallPage < kernelStart || notes.HypercallPage > kernelEnd - 4096 || (notes.HypercallPage & 4095) != 0)))
        {
            return LoadError.OverlappingSegments;
        }

        return notes.HypervisorLow > HypervisorRange.Start ? LoadError.HypervisorTooLow : LoadError.None;
    }

    /// <summary>Canonical, and none of it the hypervisor's.</summary>
    private static bool IsGuestRange(ulong start, ulong bytes)
    {
        ulong end = start + bytes;
        return end >= start && (end <= LowerHalfEnd || start >= HypervisorRange.End);
    }
}
