// One 8-byte entry of a page table, of any level, as the processor reads it.
using System.Runtime.CompilerServices;

namespace Xenolith.Machine;

/// <summary>
/// A page table entry (Intel SDM vol. 3, "4-Level Paging").
/// 63 NX | 62:52 available | 51:12 frame | 11:9 available | 8 G | 7 PSE/PAT | 6 D | 5 A | 4 PCD | 3 PWT | 2 US | 1 RW | 0 P
/// </summary>
public readonly struct PageTableEntry
{
    public const ulong Present = 1UL << 0;
    public const ulong Writable = 1UL << 1;
    public const ulong User = 1UL << 2;
    public const ulong WriteThrough = 1UL << 3;
    public const ulong CacheDisable = 1UL << 4;
    public const ulong Accessed = 1UL << 5;
    public const ulong Dirty = 1UL << 6;
    public const ulong LargePage = 1UL << 7;
    public const ulong PatSmall = 1UL << 7;
    public const ulong Global = 1UL << 8;
    public const ulong AvailableLow = 7UL << 9;
    public const ulong AvailableHigh = 0x7FFUL << 52;
    public const ulong NoExecute = 1UL << 63;
    public const ulong FrameMask = 0x000F_FFFF_FFFF_F000;

    /// <summary>Marks a kernel page whose US bit the hypervisor has set (public ABI behaviour: bit 52).</summary>
    public const ulong GuestKernel = 1UL << 52;

    public readonly ulong Value;

    public PageTableEntry(ulong value) => Value = value;

    public PageTableEntry(Mfn frame, ulong flags) => Value = (frame.Value << 12) | flags;

    public bool IsPresent => (Value & Present) != 0;

    public bool IsWritable => (Value & Writable) != 0;

    public Mfn Frame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new((Value & FrameMask) >> 12);
    }

    public ulong Flags => Value & ~FrameMask;

    public bool Has(ulong flags) => (Value & flags) == flags;
}
