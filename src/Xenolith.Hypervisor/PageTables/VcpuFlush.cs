// Flushes for the vcpus that a guest names.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>The vcpu bitmaps of mmuext_op and update_va_mapping.</summary>
internal static class VcpuFlush
{
    /// <summary>A complete flush wherever a vcpu of the bitmap is loaded; false when the bitmap cannot be read.</summary>
    internal static bool TryRequestAll(ref Vcpu caller, GuestAddress bitmap)
    {
        if (!TryReadBitmap(bitmap, out ulong vcpus))
        {
            return false;
        }

        for (uint id = 0; id < (uint)caller.Domain.VcpuCount; id++)
        {
            if (((vcpus >> (int)id) & 1) != 0)
            {
                TlbClock.RequestFlush(ref VcpuTable.At(caller.Domain.VcpuIndex(id)));
            }
        }

        return true;
    }

    /// <summary>One page for the caller itself, all for the others of the bitmap; false when the bitmap cannot be read.</summary>
    internal static bool TryRequestPage(ref Vcpu caller, GuestAddress bitmap, GuestAddress page)
    {
        if (!TryReadBitmap(bitmap, out ulong vcpus))
        {
            return false;
        }

        for (uint id = 0; id < (uint)caller.Domain.VcpuCount; id++)
        {
            if (((vcpus >> (int)id) & 1) == 0)
            {
                continue;
            }

            if (id == (uint)caller.Id)
            {
                Tlb.FlushPage(page);
            }
            else
            {
                TlbClock.RequestFlush(ref VcpuTable.At(caller.Domain.VcpuIndex(id)));
            }
        }

        return true;
    }

    /// <summary>A domain has at most 32 vcpus: one word of the bitmap is all there is to read.</summary>
    private static bool TryReadBitmap(GuestAddress bitmap, out ulong vcpus) => GuestMemory.TryRead(bitmap, out vcpus);
}
