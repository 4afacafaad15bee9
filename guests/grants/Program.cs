// grants: Domain 0 offers pages to itself: maps, copies and gives them back, and asks for what it must not get.
using System;
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class GrantsProgram
{
    private const uint Host = GrantMapFlags.HostMap;
    private const uint Offer = GrantEntryFlags.PermitAccess;
    private const short BadReference = -3;
    private const short BadHandle = -4;
    private const short GeneralError = -1;
    private const short BadDomain = -2;
    private const short BadCopyArgument = -10;
    private const short PermissionDenied = -8;
    private const short BadDeviceAddress = -6;
    private const short BadPage = -9;
    private const short Again = -12;

    private static ulong* s_table;

    [RuntimeExport("guest_grants")]
    private static void Main()
    {
        Traps.Start();
        if (!SetUp())
        {
            return;
        }

        Versions();
        Mapping();
        ReadOnlyMapping();
        EntryMapping();
        Refusals();
        Tables();
        Replacing();
        Copying();
        Swapping();
    }

    private static bool SetUp()
    {
        ulong frame = 0;
        GrantSetupTable request = new() { DomainId = DomainIds.Self, FrameCount = 1, Status = 1, FrameList = (ulong)(&frame) };
        Report.Result(Call(2, &request), XenError.None, "setup_table"u8);
        Report.Result(Call(2, &request, 2), XenError.Invalid, "setup_table of two"u8);
        s_table = (ulong*)Memory.TakePage();
        return Report.Same((ushort)request.Status, 0, "its status"u8)
            && Report.Result(Xen.UpdateVaMapping((ulong)s_table, (frame << 12) | PageTables.KernelWritable), XenError.None, "the table is mapped"u8)
            && Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, frame), XenError.Invalid, "the table as a page table"u8);
    }

    private static void Versions()
    {
        uint version = 1;
        Report.Result(Call(8, &version), XenError.None, "version 1"u8);
        version = 3;
        Report.Result(Call(8, &version), XenError.Invalid, "version 3"u8);
        GrantQuerySize size = new() { DomainId = DomainIds.Self };
        Report.Result(Call(6, &size), XenError.None, "query_size"u8);
        Report.Same(size.FrameCount, 1, "frames"u8);
        Report.Same(size.MaximumFrameCount, 64, "most frames"u8);
        Report.Result(Call(3, &size), XenError.NotImplemented, "dump_table"u8);
        Report.Result(Call(99, &size), XenError.NotImplemented, "an unknown operation"u8);
        Report.Result(Call(0, (void*)0x10000, 1), XenError.Fault, "an array that is not there"u8);
        Report.Result(Call(0, (void*)0x10000, 0), XenError.None, "an empty array"u8);
        Report.Result(Xen.Call(HypercallNumber.GrantTableOp, 0, (ulong)(&size), 0x8000_0000), XenError.Invalid, "a negative count"u8);
    }

    private static void Mapping()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        page[7] = 0x77;
        Enter(5, Offer, page);
        uint handle = Map(5, Host, (ulong)window, 0, "a mapping"u8);
        Report.Same(window[7], 0x77, "the page through it"u8);
        window[8] = 0x88;
        Report.Same(page[8], 0x88, "a write through it"u8);
        Report.Same((ushort)s_table[5], Offer | GrantEntryFlags.Reading | GrantEntryFlags.Writing, "the marks"u8);
        ulong* entry = PageTables.Entry((ulong)window, 1);
        Report.Same(*entry & ~(PageTables.FrameMask | PageTables.Global), PageTables.Table | PageTables.KernelMark | PageTables.NoExecute, "the page table entry"u8);
        Unmap(handle, (ulong)window + 4096, 0, GeneralError, "another address"u8);
        Unmap(handle + 1, (ulong)window, 0, BadHandle, "another handle"u8);
        Unmap(handle, (ulong)window, 0, 0, "the end of the mapping"u8);
        Report.Same((ushort)s_table[5], Offer, "no marks"u8);
        Report.Same(*entry, 0, "no page table entry"u8);
        Unmap(handle, (ulong)window, 0, BadHandle, "its end once more"u8);
        Gone(window, "the window after it"u8);
    }

    private static void ReadOnlyMapping()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        Enter(6, Offer | GrantEntryFlags.ReadOnly, page);
        Map(6, Host, (ulong)window, GeneralError, "to write what may be read"u8);
        Report.Same((ushort)s_table[6], Offer | GrantEntryFlags.ReadOnly, "no marks after the refusal"u8);
        uint handle = Map(6, Host | GrantMapFlags.ReadOnly, (ulong)window, 0, "to read it"u8);
        Report.Same((ushort)s_table[6], Offer | GrantEntryFlags.ReadOnly | GrantEntryFlags.Reading, "the mark"u8);
        ProbeRegisters registers = new() { Rcx = (ulong)window };
        Report.Same(Traps.Try([0x88, 0x01], ref registers), 14, "a write to it"u8);

        // The page is its own: the right to write can be had by other means, and the handle then does not fit any more.
        Report.Result(Xen.UpdateVaMapping((ulong)window, Memory.Machine(page) | PageTables.KernelWritable), XenError.None, "its own page"u8);
        Unmap(handle, (ulong)window, 0, GeneralError, "the end of a mapping with more rights"u8);
        Report.Result(Xen.UpdateVaMapping((ulong)window, Memory.Machine(page) | PageTables.KernelReadable), XenError.None, "its own page to read"u8);
        Unmap(handle, (ulong)window, 0, 0, "the end of the mapping"u8);
        Report.Same((ushort)s_table[6], Offer | GrantEntryFlags.ReadOnly, "no marks"u8);
    }

    private static void EntryMapping()
    {
        const uint Flags = Host | GrantMapFlags.ContainsPte | GrantMapFlags.ApplicationMap;
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        Enter(7, Offer, page);
        ulong entry = PageTables.EntryMachine((ulong)window, 1);
        Map(7, Flags, entry + 4, GeneralError, "an entry that is not aligned"u8);
        Map(7, Flags, PageTables.EntryMachine((ulong)window, 2), GeneralError, "an entry of a level-2 table"u8);
        Map(7, Flags, Memory.Machine(page), GeneralError, "an entry of no table"u8);
        uint handle = Map(7, Flags | (1u << GrantMapFlags.AvailableShift), entry, 0, "an entry by its machine address"u8);
        ulong flags = PageTables.UserWritable | PageTables.Global | PageTables.NoExecute | (1UL << 9);
        Report.Same(*PageTables.Entry((ulong)window, 1) & ~PageTables.FrameMask, flags, "the page table entry"u8);
        Unmap(handle, (ulong)window, 0, GeneralError, "its end by the virtual address"u8);
        Unmap(handle, entry, 0, 0, "its end by the machine address"u8);
    }

    private static void Refusals()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        Enter(8, Offer, page);
        Map(8, GrantMapFlags.ReadOnly, (ulong)window, BadReference, "neither host nor device"u8);
        Map(512, Host, (ulong)window, BadReference, "no such entry"u8);
        Map(8, Host, 0x10000, GeneralError, "an address without tables"u8);
        Map(8, Host, (ulong)window, BadDomain, "no such domain"u8, 99);
        Map(8, Host, (ulong)window, BadDomain, "DOMID_SELF"u8, DomainIds.Self);
        Enter(8, 0, page);
        Map(8, Host, (ulong)window, GeneralError, "an empty entry"u8);
        Enter(8, GrantEntryFlags.AcceptTransfer, page);
        Map(8, Host, (ulong)window, GeneralError, "an entry for transfers"u8);
        s_table[8] = Offer | (7UL << 16) | (Memory.Frame(page) << 32);
        Map(8, Host, (ulong)window, GeneralError, "an entry for another domain"u8);
        s_table[8] = Offer | (0xFFFF_FFFFUL << 32);
        Map(8, Host, (ulong)window, BadPage, "no such frame"u8);
        uint handle = 0;
        Enter(8, Offer, page);
        handle = Map(8, GrantMapFlags.DeviceMap, 0, 0, "a device mapping"u8);
        Unmap(handle, 0, Memory.Machine(page) + 4096, BadDeviceAddress, "a wrong bus address"u8);
        Unmap(handle, 0, Memory.Machine(page), 0, "its end"u8);
        Report.Same((ushort)s_table[8], Offer, "no marks"u8);
    }

    /// <summary>A page table may be shown and not lent; a page that is lent cannot become a table.</summary>
    private static void Tables()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        PageTables.MakeReadOnly(page);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(page)), XenError.None, "a page table"u8);
        Enter(9, Offer, page);
        Map(9, Host, (ulong)window, GeneralError, "a page table to write"u8);
        uint handle = Map(9, Host | GrantMapFlags.ReadOnly, (ulong)window, 0, "a page table to read"u8);
        Unmap(handle, (ulong)window, 0, 0, "its end"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(page)), XenError.None, "no page table"u8);
        handle = Map(9, Host, (ulong)window, 0, "to write"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(page)), XenError.Invalid, "a page table that is lent"u8);
        Unmap(handle, (ulong)window, 0, 0, "its end"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(page)), XenError.None, "a page table again"u8);
    }

    private static void Replacing()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        byte* other = Memory.TakePage();
        other[0] = 0x42;
        Enter(10, Offer, page);
        uint handle = Map(10, Host, (ulong)window, 0, "a mapping to replace"u8);
        GrantUnmap request = new() { HostAddress = (ulong)window, BusAddress = (ulong)other, Handle = handle, Status = 1 };
        Report.Result(Call(7, &request), XenError.None, "unmap_and_replace"u8);
        Report.Same((ushort)request.Status, 0, "its status"u8);
        Report.Same(window[0], 0x42, "the other page in its place"u8);
        Gone(other, "its old place"u8);
    }

    private static void Copying()
    {
        byte* from = Memory.TakePage();
        byte* to = Memory.TakePage();
        from[100] = 0x5A;
        Enter(11, Offer | GrantEntryFlags.ReadOnly, from);
        Enter(12, Offer, to);
        Copy(11, 0, 100, 12, 0, 200, 8, 3, 0, "from a grant to a grant"u8);
        Report.Same(to[200], 0x5A, "what was copied"u8);
        Copy(Memory.Frame(from), DomainIds.Self, 100, Memory.Frame(to), DomainIds.Self, 300, 8, 0, 0, "from frame to frame"u8);
        Report.Same(to[300], 0x5A, "what was copied"u8);
        Copy(11, 0, 100, Memory.Frame(to), DomainIds.Self, 400, 8, 1, 0, "from a grant"u8);
        Report.Same(to[400], 0x5A, "what was copied"u8);
        Copy(Memory.Frame(from), DomainIds.Self, 100, 12, 0, 500, 8, 2, 0, "to a grant"u8);
        Report.Same(to[500], 0x5A, "what was copied"u8);
        Copy(Memory.Frame(from), DomainIds.Self, 0, 11, 0, 0, 8, 2, GeneralError, "to a grant to read"u8);
        Copy(11, 0, 4090, 12, 0, 0, 8, 3, BadCopyArgument, "past the source"u8);
        Copy(11, 0, 0, 12, 0, 4090, 8, 3, BadCopyArgument, "past the destination"u8);
        Copy(600, 0, 0, 12, 0, 0, 8, 3, BadReference, "no such entry"u8);
        Copy(11, 99, 0, 12, 0, 0, 8, 3, BadDomain, "no such domain"u8);
        Copy(Memory.Frame(from), 0, 0, 12, 0, 0, 8, 2, PermissionDenied, "a frame of a domain by number"u8);
        Copy(Memory.Frame(from), DomainIds.Self, 0, *PageTables.Entry((ulong)to, 2) >> 12 & 0xFF_FFFF, DomainIds.Self, 0, 8, 0, GeneralError, "to a page table"u8);
        Report.Same((ushort)s_table[11], Offer | GrantEntryFlags.ReadOnly, "no marks on the source"u8);
        Report.Same((ushort)s_table[12], Offer, "no marks on the destination"u8);
    }

    private static void Swapping()
    {
        byte* page = Memory.TakePage();
        byte* window = Memory.TakePage();
        Enter(20, Offer, page);
        ulong old = s_table[20];
        Swap(20, 21, 0, "a swap"u8);
        Report.Same(s_table[21], old, "the entry in its new place"u8);
        Report.Same(s_table[20], 0, "its old place"u8);
        Swap(20, 600, BadReference, "no such entry"u8);
        uint handle = Map(21, Host, (ulong)window, 0, "a mapping"u8);
        Swap(20, 21, Again, "a swap of an entry in use"u8);
        Unmap(handle, (ulong)window, 0, 0, "its end"u8);
    }

    private static long Call(uint operation, void* argument, uint count = 1) => Xen.Call(HypercallNumber.GrantTableOp, operation, (ulong)argument, count);

    private static void Enter(uint reference, uint flags, byte* page) => s_table[reference] = flags | (Memory.Frame(page) << 32);

    private static uint Map(uint reference, uint flags, ulong address, short expected, ReadOnlySpan<byte> what, ushort domain = 0)
    {
        GrantMap request = new() { HostAddress = address, Flags = flags, Reference = reference, DomainId = domain, Status = 1 };
        Report.Result(Call(0, &request), XenError.None, what);
        Report.Same((ushort)request.Status, (ushort)expected, what);

        // What the window mapped before is the guest's own affair.
        Xen.MmuExtended(MmuExtendedCommand.InvlpgLocal, address);
        return request.Handle;
    }

    private static void Unmap(uint handle, ulong address, ulong bus, short expected, ReadOnlySpan<byte> what)
    {
        GrantUnmap request = new() { HostAddress = address, BusAddress = bus, Handle = handle, Status = 1 };
        Report.Result(Call(1, &request), XenError.None, what);
        Report.Same((ushort)request.Status, (ushort)expected, what);
    }

    private static void Copy(
        ulong from, ushort fromDomain, ushort fromOffset, ulong to, ushort toDomain, ushort toOffset, ushort bytes, ushort flags, short expected, ReadOnlySpan<byte> what)
    {
        GrantCopy request = new()
        {
            Source = new GrantCopySide { Page = from, DomainId = fromDomain, Offset = fromOffset },
            Destination = new GrantCopySide { Page = to, DomainId = toDomain, Offset = toOffset },
            Length = bytes,
            Flags = flags,
            Status = 1,
        };
        Report.Result(Call(5, &request), XenError.None, what);
        Report.Same((ushort)request.Status, (ushort)expected, what);
    }

    private static void Swap(uint first, uint second, short expected, ReadOnlySpan<byte> what)
    {
        GrantSwap request = new() { First = first, Second = second, Status = 1 };
        Report.Result(Call(11, &request), XenError.None, what);
        Report.Same((ushort)request.Status, (ushort)expected, what);
    }

    private static void Gone(byte* page, ReadOnlySpan<byte> what)
    {
        ProbeRegisters registers = new() { Rcx = (ulong)page };
        Report.Same(Traps.Try([0x8A, 0x01], ref registers), 14, what);
    }
}
