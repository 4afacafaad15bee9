// The part of every address space that is the hypervisor's: L4 slots 256 to 271.
namespace Xenolith.Machine;

/// <summary>
/// Slot 256 M2P (read-only to guests) | 258 tables that grow | 259 devices | 260 GDT and LDT windows | 261 image | 262.. direct map of RAM.
/// The tables below these slots are shared by all roots, so entering the hypervisor never changes CR3.
/// </summary>
public static class HypervisorAddressSpace
{
    /// <summary>First hypervisor slot of an L4 table, and the one after the last.</summary>
    public const int FirstSlot = 256;
    public const int EndSlot = 272;

    private const int TableSlot = 258;
    private const int DeviceSlot = 259;
    private const int WindowSlot = 260;
    private const int DirectMapSlot = 262;
    private const ulong TableStart = 0xFFFF_8100_0000_0000;
    private const ulong TableFlags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.Accessed | PageTableEntry.Dirty;
    private const ulong DataFlags = TableFlags | PageTableEntry.NoExecute;
    private const ulong FramesPer2Mib = 512;
    private const ulong FramesPerGib = 512 * 512;

    private static Mfn s_root;

    // The tables that grow share one level-2 table, which has room for 512 leaf tables.
    private static Mfn s_tableLevel2;
    private static int s_tableLeaves;

    /// <summary>The hypervisor's own root, for a processor that runs no guest.</summary>
    public static Mfn Root => s_root;

    /// <summary>Completes the address space that the boot code began: all RAM below <paramref name="frameCount"/>, the M2P, the windows.</summary>
    public static void Initialize(ulong frameCount, Mfn imageStart, ulong imageFrames)
    {
        // The boot code's root lies in the image, which the direct map's checks keep everybody out of.
        s_root = EarlyFrames.Allocate(1);
        PhysicalMemory.Copy(s_root, new MachineAddress(Native.ReadCr3()).Frame);
        Native.WriteCr3(s_root.Address.Value);
        ExtendDirectMap(frameCount);
        PhysicalMemory.SetBounds(frameCount, imageStart, imageFrames);
        MapMachineToPhysical(frameCount);
        DescriptorWindow.Initialize(AddLevel2(WindowSlot));
        Mmio.Initialize(AddLeafTables(AddLevel2(DeviceSlot), 0, 1));
        s_tableLevel2 = AddLevel2(TableSlot);
        s_tableLeaves = 0;
    }

    /// <summary>Addresses for that many pages of a table that grows, and the leaf tables for them.</summary>
    internal static ulong ReserveTableRange(ulong pages, out Mfn leaves)
    {
        int count = (int)((pages + 511) / 512);
        Fatal.Assert(s_tableLeaves + count <= 512, "the hypervisor's tables do not fit into their address range"u8);
        leaves = AddLeafTables(s_tableLevel2, s_tableLeaves, count);
        ulong start = TableStart + ((ulong)s_tableLeaves << 21);
        s_tableLeaves += count;
        return start;
    }

    /// <summary>Maps a frame as the next page of such a range; nothing was mapped there before.</summary>
    internal static void SetTablePage(Mfn leaves, ulong page, Mfn frame)
        => PhysicalMemory.Word(leaves.Add(page / 512), (int)(page % 512)) = new PageTableEntry(frame, DataFlags).Value;

    /// <summary>Puts a leaf table into a level-2 table of the hypervisor.</summary>
    internal static void SetLeafTable(Mfn level2, int index, Mfn leaf) => PhysicalMemory.Word(level2, index) = new PageTableEntry(leaf, TableFlags).Value;

    /// <summary>Drops the identity map of the boot code; nothing may use low addresses afterwards.</summary>
    public static void DropIdentityMap()
    {
        PhysicalMemory.Word(s_root, 0) = 0;
        Tlb.FlushAll();
    }

    /// <summary>Writes the hypervisor's slots into a guest's root table.</summary>
    public static void FillHypervisorSlots(Mfn root, bool withM2P)
    {
        for (int slot = FirstSlot; slot < EndSlot; slot++)
        {
            PhysicalMemory.Word(root, slot) = slot == FirstSlot && !withM2P ? 0 : PhysicalMemory.Word(s_root, slot);
        }
    }

    /// <summary>Panics unless the frame is a root that holds the hypervisor's slots.</summary>
    internal static void CheckRoot(Mfn root)
    {
        if (PhysicalMemory.Word(root, DirectMapSlot) != PhysicalMemory.Word(s_root, DirectMapSlot))
        {
            Fatal.Panic("page-table root without the hypervisor's slots"u8);
        }
    }

    private static void ExtendDirectMap(ulong frameCount)
    {
        Mfn level3 = new PageTableEntry(PhysicalMemory.Word(s_root, DirectMapSlot)).Frame;
        ulong gibs = (frameCount + FramesPerGib - 1) / FramesPerGib;
        Fatal.Assert(gibs <= 512, "more than 512 GiB of RAM is not supported"u8);
        for (int gib = 4; gib < (int)gibs; gib++)
        {
            Mfn first = new((ulong)gib * FramesPerGib);
            if (CpuFeatures.HasGbPages)
            {
                PhysicalMemory.Word(level3, gib) = new PageTableEntry(first, DataFlags | PageTableEntry.LargePage).Value;
                continue;
            }

            Mfn level2 = EarlyFrames.Allocate(1);
            for (int i = 0; i < 512; i++)
            {
                PhysicalMemory.Word(level2, i) = new PageTableEntry(first.Add((ulong)i * FramesPer2Mib), DataFlags | PageTableEntry.LargePage).Value;
            }

            PhysicalMemory.Word(level3, gib) = new PageTableEntry(level2, TableFlags).Value;
        }
    }

    private static void MapMachineToPhysical(ulong frameCount)
    {
        const ulong UserFlags = PageTableEntry.Present | PageTableEntry.User | PageTableEntry.Accessed;
        ulong bytes = frameCount * 8;
        ulong chunks = (bytes + 0x1F_FFFF) >> 21;
        Fatal.Assert(chunks <= 512, "the M2P table would be larger than 1 GiB"u8);
        Mfn table = EarlyFrames.Allocate(chunks * FramesPer2Mib, FramesPer2Mib);
        Mfn level3 = EarlyFrames.Allocate(1);
        Mfn level2 = EarlyFrames.Allocate(1);
        for (int i = 0; i < (int)chunks; i++)
        {
            PhysicalMemory.Word(level2, i) = new PageTableEntry(
                table.Add((ulong)i * FramesPer2Mib),
                UserFlags | PageTableEntry.Dirty | PageTableEntry.LargePage | PageTableEntry.NoExecute).Value;
        }

        PhysicalMemory.Word(level3, 0) = new PageTableEntry(level2, UserFlags).Value;
        PhysicalMemory.Word(s_root, FirstSlot) = new PageTableEntry(level3, UserFlags).Value;
        MachineToPhysical.Initialize(table, Table<ulong>.Over(table, (int)(chunks * FramesPer2Mib * 512)));
    }

    /// <summary>Adds an L3 and an L2 table under an empty slot; gives the L2 table.</summary>
    private static Mfn AddLevel2(int slot)
    {
        Mfn level3 = EarlyFrames.Allocate(1);
        Mfn level2 = EarlyFrames.Allocate(1);
        PhysicalMemory.Word(level3, 0) = new PageTableEntry(level2, TableFlags).Value;
        PhysicalMemory.Word(s_root, slot) = new PageTableEntry(level3, TableFlags).Value;
        return level2;
    }

    /// <summary>Adds contiguous L1 tables to an L2 table; gives the first.</summary>
    private static Mfn AddLeafTables(Mfn level2, int first, int count)
    {
        Mfn leaves = EarlyFrames.Allocate((ulong)count);
        for (int i = 0; i < count; i++)
        {
            SetLeafTable(level2, first + i, leaves.Add((ulong)i));
        }

        return leaves;
    }
}
