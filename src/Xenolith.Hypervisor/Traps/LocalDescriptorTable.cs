// The LDT of a guest, mapped page by page when the processor asks for it.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>MMUEXT_SET_LDT and the faults in the window that follow it.</summary>
internal static class LocalDescriptorTable
{
    private const ulong MaximumEntries = 8192;

    /// <summary>Errors: Invalid (not page aligned, too many entries, not the guest's address).</summary>
    internal static XenError Set(ref Vcpu vcpu, ulong address, ulong entries)
    {
        if (entries > MaximumEntries || (entries != 0 && ((address & 0xFFF) != 0 || !new GuestAddress(address).IsGuestRange(entries * 8))))
        {
            return XenError.Invalid;
        }

        if (vcpu.Traps.LdtEntries == 0 && entries == 0)
        {
            return XenError.None;
        }

        DropWindow(ref vcpu);
        vcpu.Traps.LdtBase = address;
        vcpu.Traps.LdtEntries = (int)entries;
        Descriptors.LoadLdt(vcpu.Index, (int)entries);
        return XenError.None;
    }

    /// <summary>Gives back the frames that the window holds; they are mapped again when needed.</summary>
    internal static void DropWindow(ref Vcpu vcpu)
    {
        if (vcpu.Traps.LdtEntries == 0)
        {
            return;
        }

        for (int page = 0; page < DescriptorWindow.LdtPages; page++)
        {
            Mfn frame = DescriptorWindow.LdtPage(vcpu.Index, page);
            if (frame.IsValid)
            {
                PageTypes.DropLeaf(frame);
            }
        }

        DescriptorWindow.ClearLdt(vcpu.Index);
    }

    /// <summary>A fault of the processor in the LDT window: maps the page; false when the guest has nothing there.</summary>
    internal static bool TryMapPage(ref Vcpu vcpu, ulong offset)
    {
        // A guest that reaches for the window itself faults on pages that are there.
        if (offset >= (ulong)vcpu.Traps.LdtEntries * 8 || DescriptorWindow.LdtPage(vcpu.Index, (int)(offset >> 12)).IsValid)
        {
            return false;
        }

        if (!GuestPageTables.TryFindL1(ref vcpu, new GuestAddress(vcpu.Traps.LdtBase + offset), out Mfn table, out int index))
        {
            return false;
        }

        PageTableEntry entry = new(PhysicalMemory.Word(table, index));
        Preemption never = Preemption.Never;
        if (!entry.IsPresent || PageTypes.TryTake(ref vcpu.Domain, entry.Frame, PageType.DescriptorTable, ref never) != XenError.None)
        {
            return false;
        }

        DescriptorWindow.SetLdtPage(vcpu.Index, (int)(offset >> 12), entry.Frame);
        return true;
    }
}
