// What the hypervisor knows of one machine frame, in 16 bytes.
using System.Runtime.CompilerServices;

namespace Xenolith.Hypervisor.Memory;

/// <summary>
/// Type word:  63:32 type count | 31:8 stamp or cursor | 7 pinned | 6 dismantling | 5 building | 4 validated | 2:0 type.
/// Owner word: 63:32 general count | 31:17 linear balance (signed) | 16 allocated | 15:0 owner.
/// A free frame keeps the links of the allocator's lists in the same words.
/// </summary>
public struct FrameInfo
{
    /// <summary>Owner of a frame in the allocator's lists.</summary>
    public const ushort FreeOwner = 0xFFFF;

    /// <summary>Counts stay below this, so that no guest can make one wrap.</summary>
    public const uint CountLimit = 0x7FFF_FFFF;

    private const ulong OneReference = 1UL << 32;
    private const ulong TypeMask = 7;
    private const ulong ValidatedBit = 1 << 4;
    private const ulong BuildingBit = 1 << 5;
    private const ulong DismantlingBit = 1 << 6;
    private const ulong PinnedBit = 1 << 7;
    private const ulong NoteMask = 0xFFFF_FF00;
    private const uint CursorMask = 0x3FF;
    private const int StopShift = 10;
    private const ulong AllocatedBit = 1 << 16;
    private const int LinearShift = 17;
    private const ulong LinearMask = 0xFFFE_0000;

    /// <summary>Lowest value of <see cref="LinearBalance"/>: a table is named by at most so many linear entries.</summary>
    public const int LinearLimit = -16_000;

    public ulong TypeWord;
    public ulong OwnerWord;

    public readonly ushort Owner => (ushort)OwnerWord;

    public readonly uint GeneralCount => (uint)(OwnerWord >> 32);

    public readonly uint TypeCount => (uint)(TypeWord >> 32);

    public readonly PageType Type => (PageType)(TypeWord & TypeMask);

    /// <summary>One general reference stands for the frame being part of its domain.</summary>
    public bool IsAllocated
    {
        readonly get => (OwnerWord & AllocatedBit) != 0;
        set => OwnerWord = value ? OwnerWord | AllocatedBit : OwnerWord & ~AllocatedBit;
    }

    /// <summary>
    /// Above 0: how many entries of this table name another table of its own level. Below 0: how many such entries name this table.
    /// Never both: what is named by a linear entry has none, so that giving it back cannot go on from table to table.
    /// </summary>
    public int LinearBalance
    {
        readonly get => (int)(uint)OwnerWord >> LinearShift;
        set => OwnerWord = (OwnerWord & ~LinearMask) | (uint)(value << LinearShift);
    }

    /// <summary>Every entry has been checked and holds its references.</summary>
    public bool IsValidated
    {
        readonly get => (TypeWord & ValidatedBit) != 0;
        set => TypeWord = value ? TypeWord | ValidatedBit : TypeWord & ~ValidatedBit;
    }

    /// <summary>A promotion stopped at <see cref="Cursor"/>; it goes on when the same type is asked for again.</summary>
    public bool IsBuilding
    {
        readonly get => (TypeWord & BuildingBit) != 0;
        set => TypeWord = value ? TypeWord | BuildingBit : TypeWord & ~BuildingBit;
    }

    /// <summary>A demotion stopped: entries below <see cref="Cursor"/> still hold references.</summary>
    public bool IsDismantling
    {
        readonly get => (TypeWord & DismantlingBit) != 0;
        set => TypeWord = value ? TypeWord | DismantlingBit : TypeWord & ~DismantlingBit;
    }

    /// <summary>A pin holds one type and one general reference.</summary>
    public bool IsPinned
    {
        readonly get => (TypeWord & PinnedBit) != 0;
        set => TypeWord = value ? TypeWord | PinnedBit : TypeWord & ~PinnedBit;
    }

    /// <summary>24 bits: the cursor of a half-done table, or the TLB clock when the last writable reference went.</summary>
    public uint Note
    {
        readonly get => (uint)((TypeWord & NoteMask) >> 8);
        set => TypeWord = (TypeWord & ~NoteMask) | (((ulong)value << 8) & NoteMask);
    }

    /// <summary>A half-done table: the index of the entry at which it stopped; 512 when before the last one.</summary>
    public readonly int Cursor => (int)(Note & CursorMask);

    /// <summary>A half-done table: what it stopped for.</summary>
    public readonly TableStop Stop => (TableStop)(Note >> StopShift);

    /// <summary>Notes where a half-done table stopped, and what for.</summary>
    public void StopAt(int cursor, TableStop stop) => Note = (uint)cursor | ((uint)stop << StopShift);

    /// <summary>Gives the frame to an owner, without type, references or history.</summary>
    public void Assign(ushort owner, bool allocated)
    {
        TypeWord = 0;
        OwnerWord = owner | (allocated ? AllocatedBit | (1UL << 32) : 0);
    }

    public void AddGeneral() => OwnerWord += 1UL << 32;

    /// <summary>Drops a general reference; true when it was the last.</summary>
    public bool DropGeneral()
    {
        OwnerWord -= 1UL << 32;
        return GeneralCount == 0;
    }

    /// <summary>One more writable reference: of a frame in no use, or writable already. False: it is in use as another type, or the count is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAddWritable()
    {
        ulong word = TypeWord;
        if (word < OneReference)
        {
            if ((word & TypeMask) is not ((ulong)PageType.None or (ulong)PageType.Writable))
            {
                // Another processor may still walk it as the table that it was.
                TlbClock.SettleElsewhere();
            }

            TypeWord = OneReference | ValidatedBit | (ulong)PageType.Writable;
            return true;
        }

        if ((word & TypeMask) != (ulong)PageType.Writable || word >= (ulong)CountLimit << 32)
        {
            return false;
        }

        TypeWord = word + OneReference;
        return true;
    }

    /// <summary>Drops a writable reference; with the last one the frame is stamped, since it may still be cached as writable.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void DropWritable(uint stamp)
    {
        TypeWord -= OneReference;
        if (TypeWord < OneReference)
        {
            TypeWord = (ulong)PageType.Writable | (((ulong)stamp << 8) & NoteMask);
        }
    }

    public void AddType() => TypeWord += 1UL << 32;

    public void DropType() => TypeWord -= 1UL << 32;

    /// <summary>Begins a new life with one reference of the type; the pinned flag and the note are cleared.</summary>
    public void StartType(PageType type) => TypeWord = (ulong)type | (1UL << 32);
}
