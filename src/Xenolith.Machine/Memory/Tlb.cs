// Translation caches of this processor, and the root of its page tables.
namespace Xenolith.Machine;

/// <summary>Flushes. Each counts itself: the number of flushes per guest operation is a budgeted figure.</summary>
public static class Tlb
{
    private static ProcessorValues s_flushes;

    /// <summary>Complete flushes by this processor since boot, root changes among them.</summary>
    public static ulong FlushCount => ProcessorValues.Current(ref s_flushes);

    /// <summary>CR3 value that <see cref="LoadRoot"/> loaded last. The entry path loads the two roots of a vcpu without telling.</summary>
    public static ulong LoadedRoot => Native.ReadCr3();

    /// <summary>Drops every translation, global ones too.</summary>
    public static void FlushAll()
    {
        ProcessorValues.Current(ref s_flushes)++;
        ulong cr4 = ControlRegisters.Cr4;
        if ((cr4 & Cr4Bits.PageGlobalEnable) != 0)
        {
            Native.WriteCr4(cr4 & ~Cr4Bits.PageGlobalEnable);
            Native.WriteCr4(cr4);
        }
        else
        {
            Native.WriteCr3(Native.ReadCr3());
        }
    }

    /// <summary>Leaves the guest's root for the hypervisor's own, which no guest can take away.</summary>
    public static void LoadOwnRoot() => LoadRoot(HypervisorAddressSpace.Root.Address.Value);

    /// <summary>Drops the translations of one page; an address of the hypervisor's is ignored.</summary>
    public static void FlushPage(GuestAddress address)
    {
        if (address.IsGuestRange(1))
        {
            Native.InvalidatePage(address.Value);
        }
    }

    /// <summary>
    /// Loads a page-table root, which drops every translation. The frame must be a root whose hypervisor slots are filled: the
    /// address space of the hypervisor itself hangs on it.
    /// </summary>
    public static void LoadRoot(ulong cr3)
    {
        HypervisorAddressSpace.CheckRoot(new MachineAddress(cr3).Frame);
        ProcessorValues.Current(ref s_flushes)++;
        Native.WriteCr3(cr3);
        if ((ControlRegisters.Cr4 & Cr4Bits.PageGlobalEnable) != 0)
        {
            FlushAll();
        }
    }
}
