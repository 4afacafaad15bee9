// entries: which level-1 entries may be stored, what is read back, and what each command of mmu_update does.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class EntriesProgram
{
    private const ulong PatSmall = 0x80;
    private const ulong MachineToPhysical = 0xFFFF_8000_0000_0000;
    private const ulong Nowhere = 0x1234_5678_9000;

    private static byte* s_page;
    private static ulong* s_entry;
    private static ulong s_machine;
    private static ulong s_target;

    [RuntimeExport("guest_entries")]
    private static void Main()
    {
        Traps.Start();
        s_page = Memory.TakePage();
        s_entry = PageTables.Entry((ulong)s_page, 1);
        s_machine = PageTables.EntryMachine((ulong)s_page, 1);
        s_target = Memory.Machine(s_page);
        Adjustment();
        Bits();
        Commands();
        Targets();
        InputOutput();
        Lists();
        ForeignDomains();
        ByAddress();
        Shared();
    }

    private static void Stored(ulong value, ulong expected, ReadOnlySpan<byte> what)
    {
        if (Report.Result(Xen.MmuUpdate(s_machine, value), XenError.None, what))
        {
            Report.Same(*s_entry, expected, what);
        }
    }

    private static void Refused(ulong value, XenError error, ReadOnlySpan<byte> what)
    {
        ulong before = *s_entry;
        Report.Result(Xen.MmuUpdate(s_machine, value), error, what);
        Report.Same(*s_entry, before, what);
    }

    private static void Adjustment()
    {
        const ulong KernelRead = PageTables.Present | PageTables.Accessed;
        Stored(s_target | KernelRead, s_target | KernelRead | PageTables.User | PageTables.KernelMark, "a kernel entry gains U and the mark"u8);
        Stored(s_target | PageTables.UserWritable, s_target | PageTables.UserWritable | PageTables.Global, "a user entry gains G"u8);
        Stored(
            s_target | PageTables.UserWritable | PageTables.KernelMark,
            s_target | PageTables.UserWritable | PageTables.KernelMark,
            "an entry that was read as a kernel's stays one"u8);
        Stored(0xABCD_EF01_2345_6780, 0xABCD_EF01_2345_6780, "an entry that is not present keeps its bits"u8);
        Stored(s_target | PageTables.KernelWritable, s_target | PageTables.KernelWritable | PageTables.User | PageTables.KernelMark, "a kernel entry that can be written"u8);
        s_page[5] = 7;
        Report.Same(s_page[5], 7, "the page behind it"u8);
    }

    private static void Bits()
    {
        ulong plain = s_target | PageTables.KernelWritable;
        ulong adjusted = plain | PageTables.User | PageTables.KernelMark;
        Stored(plain | PageTables.NoExecute, adjusted | PageTables.NoExecute, "NX"u8);
        Stored(plain | PageTables.Global, adjusted | PageTables.Global, "G"u8);
        Stored(plain | 0xE00, adjusted | 0xE00, "the bits 9 to 11"u8);
        Stored(plain | (0x1FFUL << 53), adjusted | (0x1FFUL << 53), "the bits 53 to 61"u8);
        Stored(plain & ~(PageTables.Accessed | PageTables.Dirty), adjusted & ~(PageTables.Accessed | PageTables.Dirty), "without A and D"u8);
        Stored(plain, adjusted, "the plain entry again"u8);
        for (int bit = 41; bit < 52; bit++)
        {
            Refused(plain | (1UL << bit), XenError.Invalid, "a frame above the machine's addresses"u8);
        }

        Stored(plain | PageTables.CacheDisable, adjusted | PageTables.CacheDisable, "PCD by a domain with devices"u8);
        Stored(plain | PageTables.WriteThrough, adjusted | PageTables.WriteThrough, "PWT by a domain with devices"u8);
        Stored(plain | PatSmall, adjusted | PatSmall, "PAT by a domain with devices"u8);
        Stored(plain, adjusted, "write-back again"u8);
    }

    private static void Commands()
    {
        ulong plain = s_target | PageTables.KernelWritable;
        ulong clean = plain & ~(PageTables.Accessed | PageTables.Dirty);
        Report.Result(Xen.MmuUpdate(s_machine | MmuUpdate.PreserveAccessedDirty, clean), XenError.None, "preserve A and D"u8);
        Report.Same(*s_entry & plain, plain, "A and D were preserved"u8);
        Report.Result(Xen.MmuUpdate(s_machine, clean), XenError.None, "a clean entry"u8);
        Report.Result(Xen.MmuUpdate(s_machine | MmuUpdate.PreserveAccessedDirty, clean), XenError.None, "preserve A and D, none set"u8);
        Report.Same(*s_entry & (PageTables.Accessed | PageTables.Dirty), 0, "none of A and D was made up"u8);
        Report.Result(Xen.MmuUpdate(s_machine | MmuUpdate.NoTranslate, plain), XenError.None, "no translation"u8);
        for (ulong command = 4; command < 8; command++)
        {
            Report.Result(Xen.MmuUpdate(s_machine | command, plain), XenError.NotImplemented, "an unknown command"u8);
        }

        ulong frame = Memory.Frame(s_page);
        ulong* name = (ulong*)(MachineToPhysical + (frame * 8));
        ulong old = *name;
        Report.Result(Xen.MmuUpdate((frame << 12) | MmuUpdate.MachineToPhysicalUpdate, 0x1_2345), XenError.None, "a frame gets another name"u8);
        Report.Same(*name, 0x1_2345, "the name of the frame"u8);
        Report.Result(Xen.MmuUpdate((frame << 12) | MmuUpdate.MachineToPhysicalUpdate, old), XenError.None, "its name again"u8);
        Report.Same(*name, old, "the old name of the frame"u8);
        Report.Result(Xen.MmuUpdate(MmuUpdate.MachineToPhysicalUpdate, 0), XenError.Invalid, "the name of frame 0"u8);
        Report.Result(Xen.MmuUpdate((1UL << 50) | MmuUpdate.MachineToPhysicalUpdate, 0), XenError.Invalid, "the name of a frame that is not there"u8);
    }

    private static void Targets()
    {
        ulong root = Memory.Machine(Memory.Root);
        Stored(root | PageTables.KernelReadable, root | PageTables.KernelReadable | PageTables.User | PageTables.KernelMark, "a page table, to read"u8);
        Refused(root | PageTables.KernelWritable, XenError.Busy, "a page table, to write: the entry stays read-only"u8);
        ulong level1 = s_machine & ~0xFFFUL;
        Refused(level1 | PageTables.KernelWritable, XenError.Busy, "its own table, to write"u8);
        Stored(s_target | PageTables.KernelReadable, s_target | PageTables.KernelReadable | PageTables.User | PageTables.KernelMark, "the page again"u8);
        Refused(level1 | PageTables.KernelWritable, XenError.Busy, "its own table, to write, from a page"u8);

        // Frame numbers that belong to the hypervisor: what the M2P table itself lies in has no name there.
        Report.Result(Xen.MmuUpdate((1UL << 50) | 8, 0), XenError.Invalid, "an entry outside of RAM"u8);
        Report.Result(Xen.MmuUpdate(0xB8000, 0), XenError.Invalid, "an entry in device memory"u8);
        Stored(s_target | PageTables.KernelWritable, s_target | PageTables.KernelWritable | PageTables.User | PageTables.KernelMark, "the page to write"u8);
        byte* other = Memory.TakePage();
        Report.Result(Xen.MmuUpdate(Memory.Machine(other) + 16, 0xFFFF_FFFF_FFFF_FFFF), XenError.None, "a page that is no table is memory"u8);
        Report.Same(*(ulong*)(other + 16), 0xFFFF_FFFF_FFFF_FFFF, "what was stored in memory"u8);
        PageTables.MakeReadOnly(other);
        Descriptors.Load(Memory.Frame(other), 0);
        *s_page = 0;
        byte* table = Memory.TakePage();
        PageTables.MakeReadOnly(table);
        Report.Result(Descriptors.Load(Memory.Frame(table), 512), XenError.None, "a descriptor table"u8);
        Report.Result(Xen.MmuUpdate(Memory.Machine(table), 0), XenError.Invalid, "mmu_update of a descriptor table"u8);
        Refused(Memory.Machine(table) | PageTables.KernelWritable, XenError.Busy, "a descriptor table, to write"u8);
        Report.Result(Descriptors.Load(0, 0), XenError.None, "no descriptor table"u8);
        Report.Result(PageTables.MakeWritable(table), XenError.None, "the page is memory again"u8);
    }

    private static void InputOutput()
    {
        const ulong Graphics = 0xB_8000;
        const ulong NoCache = PageTables.CacheDisable | PageTables.WriteThrough;
        Report.Result(Xen.MmuUpdate(s_machine, Graphics | PageTables.KernelWritable), XenError.None, "device memory"u8);
        Report.Same(*s_entry & NoCache, NoCache, "device memory is not cached"u8);
        Report.Result(Xen.MmuUpdate(s_machine, 0xFEE0_0000 | PageTables.KernelWritable), XenError.NotPermitted, "the local APIC"u8);
        Report.Result(Xen.MmuUpdate(s_machine, 0xFEC0_0000 | PageTables.KernelReadable), XenError.NotPermitted, "the IO-APIC"u8);
        Report.Same(*s_entry & PageTables.FrameMask, Graphics, "device memory stays"u8);
        Report.Result(Xen.MmuUpdate(s_machine, 0xE000_0000 | PageTables.KernelWritable), XenError.None, "device memory below 4 GiB"u8);
        Stored(s_target | PageTables.KernelWritable, s_target | PageTables.KernelWritable | PageTables.User | PageTables.KernelMark, "memory again"u8);
    }

    private static void Lists()
    {
        ulong plain = s_target | PageTables.KernelWritable;
        MmuUpdate* list = (MmuUpdate*)Memory.TakePage();
        uint done = 77;
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)list, 0, (ulong)(&done), DomainIds.Self), XenError.None, "an empty list"u8);
        Report.Same(done, 0, "done of an empty list"u8);
        for (int i = 0; i < 10; i++)
        {
            list[i] = new MmuUpdate { Pointer = s_machine, Value = plain };
        }

        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)list, 10, (ulong)(&done), DomainIds.Self), XenError.None, "ten updates"u8);
        Report.Same(done, 10, "done of ten updates"u8);
        list[6].Pointer |= 5;
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)list, 10, (ulong)(&done), DomainIds.Self), XenError.NotImplemented, "the seventh is bad"u8);
        Report.Same(done, 6, "done before the bad one"u8);
        list[6].Pointer = s_machine;
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, Nowhere, 1, 0, DomainIds.Self), XenError.Fault, "a list that is not there"u8);
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, 0xFFFF_8300_0000_0000, 1, 0, DomainIds.Self), XenError.Fault, "a list in the hypervisor"u8);
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, 0x8000_0000_0000_0000, 1, 0, DomainIds.Self), XenError.Fault, "a list at no address"u8);

        // The page behind the list is not mapped: the list ends in the middle.
        byte* behind = Memory.TakePage();
        MmuUpdate* last = (MmuUpdate*)behind - 3;
        last[0] = last[1] = last[2] = list[0];
        Report.Result(Xen.UpdateVaMapping((ulong)behind, 0), XenError.None, "the page behind the list"u8);
        Report.Result(Xen.Call(HypercallNumber.MmuUpdate, (ulong)last, 10, (ulong)(&done), DomainIds.Self), XenError.Fault, "a list that ends"u8);
        Report.Same(done, 3, "done before the end"u8);
        Report.Result(PageTables.MakeWritable(behind), XenError.None, "the page behind the list again"u8);
    }

    private static void ForeignDomains()
    {
        ulong plain = s_target | PageTables.KernelWritable;
        Report.Result(Xen.MmuUpdate(s_machine, plain, 0), XenError.NoSuchDomain, "the own domain by its number"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, 1), XenError.NoSuchDomain, "a domain that does not exist"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, 0x7FEF), XenError.NoSuchDomain, "the last possible domain"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Cow), XenError.NoSuchDomain, "the domain of copies"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Invalid), XenError.NoSuchDomain, "the invalid domain"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Idle), XenError.NoSuchDomain, "the idle domain"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Self | (1UL << 16)), XenError.None, "tables of the own domain by its number"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Self | (2UL << 16)), XenError.NoSuchDomain, "tables of domain 1"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Self | ((DomainIds.Self + 1UL) << 16)), XenError.NoSuchDomain, "tables of SELF"u8);
        Report.Result(Xen.MmuUpdate(s_machine, 0xB_8000 | PageTables.KernelReadable, DomainIds.Io), XenError.None, "a device's frame as one"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain, DomainIds.Io), XenError.Busy, "own memory as a device's frame"u8);
        Report.Result(Xen.MmuUpdate(s_machine, plain), XenError.None, "own memory again"u8);
        Report.Result(Xen.MmuUpdate(s_machine, Memory.Machine(s_page + 4096) | PageTables.KernelReadable, DomainIds.Xen), XenError.Busy, "own memory as the hypervisor's"u8);
    }

    private static void ByAddress()
    {
        ulong plain = s_target | PageTables.KernelWritable;
        Report.Result(Xen.UpdateVaMapping((ulong)s_page, plain), XenError.None, "update_va_mapping"u8);
        Report.Result(Xen.UpdateVaMapping(Nowhere, plain), XenError.Invalid, "an address without a table"u8);
        Report.Result(Xen.UpdateVaMapping(0xFFFF_8000_0000_0000, 0), XenError.Invalid, "an address of the M2P table"u8);
        Report.Result(Xen.UpdateVaMapping(0xFFFF_8200_0000_0000, plain), XenError.Invalid, "an address of the hypervisor"u8);
        Report.Result(Xen.UpdateVaMapping(0xFFFF_8300_0000_0000, plain), XenError.Invalid, "an address of the direct map"u8);
        Report.Result(Xen.UpdateVaMapping(0x8000_0000_0000_0000, plain), XenError.Invalid, "an address that is none"u8);
        Report.Result(Xen.UpdateVaMapping((ulong)s_page + 0x123, plain), XenError.None, "an address within the page"u8);
        ulong bitmap = 1;
        Report.Result(Xen.UpdateVaMapping((ulong)s_page, plain, 1), XenError.None, "with a flush"u8);
        Report.Result(Xen.UpdateVaMapping((ulong)s_page, plain, 1 | 4), XenError.None, "with a flush everywhere"u8);
        Report.Result(Xen.UpdateVaMapping((ulong)s_page, plain, 2 | (ulong)(&bitmap)), XenError.None, "with a flush of some processors"u8);
        Report.Result(
            Xen.Call(HypercallNumber.UpdateVaMappingOtherDomain, (ulong)s_page, plain, 2, DomainIds.Self), XenError.None, "of SELF"u8);
        Report.Result(
            Xen.Call(HypercallNumber.UpdateVaMappingOtherDomain, (ulong)s_page, plain, 2, 0), XenError.NoSuchDomain, "of the own domain by its number"u8);
        Report.Result(
            Xen.Call(HypercallNumber.UpdateVaMappingOtherDomain, (ulong)s_page, plain, 2, 5), XenError.NoSuchDomain, "of a domain that does not exist"u8);
    }

    private static void Shared()
    {
        _ = Memory.Shared;
        ulong machine = PageTables.EntryMachine((ulong)Memory.Shared, 1);
        ulong frame = *(ulong*)(Memory.StartInfo + StartInfoLayout.SharedInfo);
        Report.Result(Xen.MmuUpdate(machine, frame | PageTables.KernelWritable | PageTables.CacheDisable), XenError.AccessDenied, "the shared page without a cache"u8);
        Report.Result(Xen.MmuUpdate(machine, frame | PageTables.KernelReadable), XenError.None, "the shared page to read"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, frame >> 12), XenError.Invalid, "the shared page as a page table"u8);
        Report.Result(Xen.MmuUpdate(frame | MmuUpdate.MachineToPhysicalUpdate, 5), XenError.None, "a name for the shared page"u8);
        Report.Result(Descriptors.Load(frame >> 12, 512), XenError.Invalid, "the shared page as a descriptor table"u8);
        Report.Result(Xen.MmuUpdate(machine, frame | PageTables.KernelWritable), XenError.None, "the shared page to write"u8);
        Report.Result(Xen.MmuUpdate(frame + 0xFF8, 0), XenError.None, "the shared page by mmu_update"u8);
    }
}
