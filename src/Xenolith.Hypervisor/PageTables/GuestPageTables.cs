// Walking a guest's page tables.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Looks up the level-1 slot of an address in the kernel tables of a vcpu.</summary>
internal static class GuestPageTables
{
    private const ulong PresentTable = PageTableEntry.Present;

    /// <summary>Finds the L1 table and index that map the address; false when a table above is missing or the range is not the guest's.</summary>
    internal static bool TryFindL1(ref Vcpu vcpu, GuestAddress address, out Mfn table, out int index)
    {
        ulong value = address.Value;
        index = (int)(value >> 12) & 511;
        table = new MachineAddress(vcpu.Context.KernelRoot).Frame;
        if (!GuestAddress.IsCanonical(value) || !address.IsGuestRange(1))
        {
            return false;
        }

        for (int shift = 39; shift > 12; shift -= 9)
        {
            PageTableEntry entry = new(PhysicalMemory.WordOrZero(table, (int)(value >> shift)));
            if ((entry.Value & (PresentTable | PageTableEntry.LargePage)) != PresentTable)
            {
                return false;
            }

            table = entry.Frame;
        }

        ref FrameInfo info = ref FrameTable.Find(table);
        return info.Type == PageType.L1 && info.TypeCount != 0;
    }
}
