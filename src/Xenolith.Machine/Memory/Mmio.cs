// Device registers in memory: mapped uncached, read and written one access at a time.
using System.Threading;

namespace Xenolith.Machine;

/// <summary>Device memory of the hypervisor's own (APICs, HPET, MSI-X tables). Only mapped pages can be accessed.</summary>
public static unsafe class Mmio
{
    private const ulong Start = 0xFFFF_8180_0000_0000;
    private const int Capacity = 512;
    private const ulong Flags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.Accessed | PageTableEntry.Dirty
        | PageTableEntry.CacheDisable | PageTableEntry.WriteThrough | PageTableEntry.NoExecute;

    private static Mfn s_leaf;
    private static int s_used;

    /// <summary>Makes a device range accessible at boot; panics when there is no room.</summary>
    public static void Map(MachineAddress start, int bytes) => Fatal.Assert(TryMap(start, bytes), "too many device pages"u8);

    /// <summary>Makes a device range accessible; a page that already is stays so. False: that would be more than 512 pages in all.</summary>
    public static bool TryMap(MachineAddress start, int bytes)
    {
        ulong last = start.Value + (ulong)(bytes > 0 ? bytes : 1) - 1;
        for (ulong frame = start.Value >> 12; frame <= last >> 12; frame++)
        {
            if (Find(frame) >= 0)
            {
                continue;
            }

            if (s_used >= Capacity)
            {
                return false;
            }

            PhysicalMemory.Word(s_leaf, s_used) = new PageTableEntry(new Mfn(frame), Flags).Value;
            s_used++;
        }

        return true;
    }

    public static uint Read32(MachineAddress address) => Volatile.Read(ref *(uint*)Locate(address, 4));

    public static void Write32(MachineAddress address, uint value) => Volatile.Write(ref *(uint*)Locate(address, 4), value);

    public static ulong Read64(MachineAddress address) => Volatile.Read(ref *(ulong*)Locate(address, 8));

    public static void Write64(MachineAddress address, ulong value) => Volatile.Write(ref *(ulong*)Locate(address, 8), value);

    internal static void Initialize(Mfn leaf) => s_leaf = leaf;

    private static int Find(ulong frame)
    {
        for (int i = 0; i < s_used; i++)
        {
            if (new PageTableEntry(PhysicalMemory.Word(s_leaf, i)).Frame.Value == frame)
            {
                return i;
            }
        }

        return -1;
    }

    private static ulong Locate(MachineAddress address, uint bytes)
    {
        int page = Find(address.Value >> 12);

        // SAFETY: only a mapped device page, naturally aligned, so that the access cannot leave it.
        Fatal.Assert(page >= 0 && (address.Value & (bytes - 1)) == 0, "access to a device page that is not mapped"u8);
        return Start + ((ulong)page << 12) + (uint)address.Offset;
    }
}
