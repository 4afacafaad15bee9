// Which device memory a domain may map, and how it must be cached.
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Domain 0 drives the hardware; what belongs to the hypervisor stays with it. Other domains get none.</summary>
internal static class PlatformPermissions
{
    private const ulong MessageWindowFirst = 0xFEE00;
    private const ulong MessageWindowLast = 0xFEEFF;
    private const ulong CacheBits = PageTableEntry.WriteThrough | PageTableEntry.CacheDisable | PageTableEntry.PatSmall;

    /// <summary>
    /// Whether a frame that is not RAM may be mapped. Write-back becomes uncached, write-through and write-protect
    /// too; a frame that may only be read loses the right to write.
    /// </summary>
    internal static bool MayMapFrame(ref Domain domain, Mfn frame, ref ulong entry)
    {
        if (!domain.IsPrivileged || frame.Value >> (CpuFeatures.PhysicalAddressBits - 12) != 0 || IsHypervisors(frame))
        {
            return false;
        }

        if (IsReadOnly(frame))
        {
            entry &= ~PageTableEntry.Writable;
        }

        switch (entry & CacheBits)
        {
            case 0:
                entry |= PageTableEntry.WriteThrough | PageTableEntry.CacheDisable;
                break;
            case PageTableEntry.WriteThrough:
            case PageTableEntry.PatSmall | PageTableEntry.WriteThrough:
                entry |= PageTableEntry.CacheDisable;
                break;
        }

        return true;
    }

    /// <summary>Whether the hypervisor may write interrupt messages into a device page: it is no device of its own.</summary>
    internal static bool MayHoldMessages(Mfn frame)
        => frame.Value >> (CpuFeatures.PhysicalAddressBits - 12) == 0 && !IsHypervisors(frame) && !IsReadOnly(frame);

    private static bool IsHypervisors(Mfn frame)
    {
        if (frame.Value is >= MessageWindowFirst and <= MessageWindowLast || frame == LocalApic.Address.Frame)
        {
            return true;
        }

        for (int i = 0; i < IoApic.Count; i++)
        {
            if (frame == IoApic.AddressOf(i).Frame)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The HPET: firmware code that Domain 0 runs reads it, but the clock is the hypervisor's.</summary>
    private static bool IsReadOnly(Mfn frame) => PlatformInfo.HpetAddress != 0 && frame.Value == PlatformInfo.HpetAddress >> 12;
}
