// The guest kernel's bitmap of ports that its current task may use.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Read through the kernel's tables at each access; what cannot be read counts as refused.</summary>
internal static class IoBitmap
{
    internal static bool Allows(ref Vcpu vcpu, ushort port, int bytes)
    {
        if (port + (uint)bytes > vcpu.Traps.IoBitmapPorts)
        {
            return false;
        }

        for (int i = 0; i < bytes; i++)
        {
            uint at = port + (uint)i;
            if (!TryReadByte(ref vcpu, vcpu.Traps.IoBitmap + (at >> 3), out byte bits) || ((bits >> (int)(at & 7)) & 1) != 0)
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryReadByte(ref Vcpu vcpu, ulong address, out byte value)
    {
        value = 0xFF;
        if (!GuestPageTables.TryFindL1(ref vcpu, new GuestAddress(address), out Mfn table, out int index))
        {
            return false;
        }

        PageTableEntry entry = new(PhysicalMemory.Word(table, index));
        if (!entry.IsPresent || !FrameTable.IsOwnedBy(entry.Frame, vcpu.DomainId))
        {
            return false;
        }

        value = PhysicalMemory.Byte(entry.Frame, (int)(address & 0xFFF));
        return true;
    }
}
