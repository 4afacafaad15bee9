// Plain writes of a guest's kernel to a page table in use: decoded, checked like mmu_update, and carried out.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Level-1 tables only, naturally aligned writes of 1 to 8 bytes. Linux uses MOV, XCHG and LOCK AND.</summary>
internal static class WritablePageTables
{
    private const ulong Assist = 1 << 2;

    /// <summary>True: the write has been made (or has to be tried again) and RIP says where to go on.</summary>
    internal static bool TryEmulate(ref Vcpu vcpu, GuestAddress address)
    {
        if ((vcpu.Domain.Assists & Assist) == 0 || !GuestPageTables.TryFindL1(ref vcpu, address, out Mfn mapping, out int mappingIndex))
        {
            return false;
        }

        PageTableEntry mapped = new(PhysicalMemory.Word(mapping, mappingIndex));
        Mfn table = mapped.Frame;
        ref FrameInfo info = ref FrameTable.Find(table);
        if (!mapped.IsPresent || mapped.IsWritable || info.Owner != vcpu.DomainId
            || info.Type != PageType.L1 || info.TypeCount == 0 || !info.IsValidated)
        {
            return false;
        }

        int shift = (int)(address.Value & 7) * 8;
        ref ulong slot = ref PhysicalMemory.Word(table, (int)(address.Value & 0xFFF) >> 3);
        ulong current = slot;
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        _ = GuestMemory.TryRead(new GuestAddress(registers.Rip), out ulong head);
        if (shift == 0 && WriteDecoder.IsWholeEntry(head, out int number, out bool isExchange, out int length))
        {
            ref ulong register = ref GeneralRegisters.Select(ref registers, number);
            if (TableUpdate.WriteL1(ref vcpu.Domain, vcpu.DomainId, ref slot, register, false) != XenError.None)
            {
                return false;
            }

            register = isExchange ? current : register;
            registers.Rip += (ulong)length;
            registers.Rflags &= ~RflagsBits.Resume;
            return true;
        }

        if (!WriteDecoder.TryDecode(ref registers, head, current >> shift, out WriteDecoder.Write write)
            || ((uint)address.Value & ((uint)write.Bytes - 1)) != 0)
        {
            return false;
        }

        if (write.Stores)
        {
            ulong mask = write.Bytes == 8 ? ~0UL : ((1UL << (write.Bytes * 8)) - 1) << shift;
            ulong proposed = (current & ~mask) | ((write.Value << shift) & mask);
            // The processor sets A and D by itself; a locked operation that lost such a bit would not be one.
            if (slot != current)
            {
                return true;
            }

            if (TableUpdate.WriteL1(ref vcpu.Domain, vcpu.DomainId, ref slot, proposed, false) != XenError.None)
            {
                return false;
            }
        }

        WriteDecoder.Complete(ref registers, in write);
        return true;
    }
}
