// Page table entries that map granted frames.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Finds and changes the level-1 entry that a grant operation names, by virtual address or by the entry's machine address.</summary>
internal static class GrantSlots
{
    /// <summary>The slot; false when there is none, or the table is not a level-1 table of the caller's in use.</summary>
    internal static bool TryFind(ref Vcpu vcpu, ulong address, bool namesEntry, out Mfn table, out int index)
    {
        if (!namesEntry)
        {
            return GuestPageTables.TryFindL1(ref vcpu, new GuestAddress(address), out table, out index)
                && FrameTable.IsOwnedBy(table, vcpu.DomainId) && FrameTable.At(table).IsValidated;
        }

        table = new MachineAddress(address).Frame;
        index = (int)(address & 0xFFF) >> 3;
        if ((address & 7) != 0 || !FrameTable.IsOwnedBy(table, vcpu.DomainId))
        {
            return false;
        }

        ref FrameInfo info = ref FrameTable.At(table);
        return info.Type == PageType.L1 && info.TypeCount != 0 && info.IsValidated;
    }

    /// <summary>Stores an entry, which brings its references; what stood there gives its own back.</summary>
    internal static void PutIn(Mfn table, int index, ValidatedEntry entry)
    {
        PageTableEntry old = new(Interlocked.Exchange(ref PhysicalMemory.Word(table, index), entry.Value));
        if (old.IsPresent)
        {
            PageTypes.DropL1Target(old);
        }
    }

    /// <summary>
    /// Takes out an entry that maps <paramref name="frame"/> with the right to write or without it; its references pass to the caller.
    /// <paramref name="newAddress"/>, if not 0, names another slot, whose entry moves into this one. False: nothing has changed.
    /// </summary>
    internal static bool TryTakeOut(ref Vcpu vcpu, ulong address, bool namesEntry, Mfn frame, bool writes, ulong newAddress)
    {
        if (!TryFind(ref vcpu, address, namesEntry, out Mfn table, out int index))
        {
            return false;
        }

        PageTableEntry mapped = new(PhysicalMemory.Word(table, index));
        if (!mapped.IsPresent || mapped.Frame != frame || mapped.IsWritable != writes)
        {
            return false;
        }

        ValidatedEntry replacement = ValidatedEntry.NotPresent(0);
        if (newAddress != 0)
        {
            if (namesEntry || !TryFind(ref vcpu, newAddress, false, out Mfn newTable, out int newIndex) || (newTable == table && newIndex == index))
            {
                return false;
            }

            replacement = ValidatedEntry.TakenOut(ref PhysicalMemory.Word(newTable, newIndex));
        }

        Volatile.Write(ref PhysicalMemory.Word(table, index), replacement.Value);
        TlbClock.RequestFlush(vcpu.DomainId);
        return true;
    }
}
