// The part of every address space that is the hypervisor's: L4 slots 256 to 271.
namespace Xenolith.Machine;

/// <summary>
/// Slot 256 M2P (read-only to guests) | 259 devices | 260 GDT and LDT windows | 261 image | 262.. direct map of RAM.
/// The tables below these slots are shared by all roots, so entering the hypervisor never changes CR3.
/// </summary>
public static class HypervisorAddressSpace
{
    /// <summary>First hypervisor slot of an L4 table, and the one after the last.</summary>
    public const int FirstSlot = 256;
    public const int EndSlot = 272;

    private const int DeviceSlot = 259;
    private const int WindowSlot = 260;
    private const int DirectMapSlot = 262;
    private const ulong TableFlags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.Accessed | PageTableEntry.Dirty;
    private const ulong DataFlags = TableFlags | PageTableEntry.NoExecute;
    private const ulong FramesPer2Mib = 512;
    private const ulong FramesPerGib = 512 * 512;

    private static Mfn s_root;

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
        DescriptorWindow.Initialize(AddLeafTables(WindowSlot, DescriptorWindow.LeafTables));
        Mmio.Initialize(AddLeafTables(DeviceSlot, 1));
    }

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

    /// <summary>Adds an L3 and an L2 table and contiguous L1 tables under an empty slot; gives the first L1 table.</summary>
    private static Mfn AddLeafTables(int slot, int leafTables)
    {
        Mfn level3 = EarlyFrames.Allocate(1);
        Mfn level2 = EarlyFrames.Allocate(1);
        Mfn leaves = EarlyFrames.Allocate((ulong)leafTables);
        for (int i = 0; i < leafTables; i++)
        {
            PhysicalMemory.Word(level2, i) = new PageTableEntry(leaves.Add((ulong)i), TableFlags).Value;
        }

        PhysicalMemory.Word(level3, 0) = new PageTableEntry(level2, TableFlags).Value;
        PhysicalMemory.Word(s_root, slot) = new PageTableEntry(level3, TableFlags).Value;
        return leaves;
    }
}
