// Which segment descriptors a guest may have.
namespace Xenolith.Hypervisor.PageTables;

/// <summary>Rules for GDT and LDT entries of a PV guest: code and data at privilege 3, nothing else.</summary>
public static class DescriptorRules
{
    private const ulong PresentBit = 1UL << 47;
    private const ulong SegmentBit = 1UL << 44;
    private const ulong PrivilegeMask = 3UL << 45;

    /// <summary>Accepts a descriptor, with its privilege raised to what a guest may have; false when it may not exist.</summary>
    public static bool TryFix(ref ulong descriptor)
    {
        if ((descriptor & PresentBit) == 0)
        {
            return true;
        }

        if ((descriptor & SegmentBit) != 0)
        {
            descriptor |= PrivilegeMask;
            return true;
        }

        // Of the system types only "none" is accepted: a gate or a TSS would reach privilege 0 on the processor's own account.
        return ((descriptor >> 40) & 0xF) == 0;
    }
}
