// attack_grants: more of the victim's pages than it offers, longer than it offers them, and marks and references that stay behind.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class GrantsAttack
{
    private const ulong Window = 0x6000_0000_0000;
    private const uint Own = 200;
    private const uint OwnForLimits = 201;
    private const uint Marks = GrantEntryFlags.Reading | GrantEntryFlags.Writing;

    private static ulong* s_page;
    private static uint s_shown;

    [RuntimeExport("guest_attack_grants")]
    private static void Main()
    {
        Neighbour.Start();
        s_page = (ulong*)Memory.TakePage();
        s_shown = (uint)Neighbour.Letter.ShownReference;
        Report.Result(PageTables.AddLive(Window, Memory.Machine(s_page) | PageTables.KernelWritable), XenError.None, "tables of its own"u8);
        References();
        Rights();
        Places();
        Handles();
        Copies();
        Transfers();
        Limits();
        AfterLife();
        Neighbour.Finish();
    }

    /// <summary>Entries that are for others, that do not exist, and domains that do not exist.</summary>
    private static void References()
    {
        ReadOnlySpan<uint> references = [0, 1, 7, 39, 41, 511, 512, 513, 0x7FFF, 0xFFFF, 0x10_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF];
        for (int i = 0; i < references.Length; i++)
        {
            NoMap(Neighbour.Victim, references[i], "an entry that is not there"u8);
        }

        NoMap(Neighbour.Victim, (uint)Neighbour.Letter.ForeignReference, "an entry for another domain"u8);
        for (uint domain = 1; domain < 8; domain++)
        {
            if (domain != Neighbour.Self)
            {
                NoMap(Neighbour.Victim, Neighbour.FirstLetter + domain, "another attacker's letter"u8);
            }
        }

        ReadOnlySpan<ushort> domains = [99, 0x7000, DomainIds.Self, DomainIds.Io, DomainIds.Xen, DomainIds.Invalid, DomainIds.Idle, 0xFFFF];
        for (int i = 0; i < domains.Length; i++)
        {
            NoMap(domains[i], s_shown, "an entry of no domain"u8);
        }
    }

    private static void NoMap(ushort domain, uint reference, ReadOnlySpan<byte> what)
    {
        for (uint flags = 0; flags < 32; flags++)
        {
            GrantMap request = new() { HostAddress = Window, Flags = flags, Reference = reference, DomainId = domain, Status = 0 };
            Report.Check(Grants.Call(0, &request) != 0 || request.Status < 0, what);
        }

        Report.Check(Grants.Copy(reference, domain, Memory.Frame(s_page), DomainIds.Self, GrantCopy.SourceIsReference) < 0, what);
        Report.Check(Grants.Copy(Memory.Frame(s_page), DomainIds.Self, reference, domain, GrantCopy.DestinationIsReference) < 0, what);
    }

    /// <summary>What is shown to be read is not written: not by mapping it so, nor by what a guest may do to its entry afterwards.</summary>
    private static void Rights()
    {
        ulong* window = (ulong*)Window;
        Report.Check(Grants.Map(Neighbour.Victim, s_shown, window, 0, out _) < 0, "mapped to write"u8);
        Report.Same((ushort)Grants.Map(Neighbour.Victim, s_shown, window, GrantMapFlags.ReadOnly, out uint handle), 0, "mapped to read"u8);
        ulong entry = *PageTables.Entry(Window, 1);
        ulong frame = (entry & PageTables.FrameMask) >> 12;
        ulong slot = PageTables.EntryMachine(Window, 1);
        ProbeRegisters registers = new() { Rcx = Window };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a write to it"u8);
        Refused(Xen.UpdateVaMapping(Window, entry | PageTables.Writable), "the write right by update_va_mapping"u8);
        Refused(Xen.MmuUpdate(slot, entry | PageTables.Writable), "the write right by mmu_update"u8);
        Refused(Xen.MmuUpdate(slot | MmuUpdate.PreserveAccessedDirty, entry | PageTables.Writable), "the write right, keeping marks"u8);
        Refused(Xen.UpdateVaMapping(Window + 0x1000, (frame << 12) | PageTables.KernelReadable), "a second mapping"u8);
        Refused(Xen.UpdateVaMapping(Window + 0x1000, (frame << 12) | PageTables.KernelWritable), "a second mapping to write"u8);
        for (uint command = 0; command <= (uint)MmuExtendedCommand.NewBasePointer; command++)
        {
            Refused(Xen.MmuExtended((MmuExtendedCommand)command, frame), "as a table"u8);
        }

        Refused(Xen.MmuExtended(MmuExtendedCommand.ClearPage, frame), "cleared"u8);
        Refused(Xen.MmuExtended(MmuExtendedCommand.CopyPage, frame, Memory.Frame(s_page)), "copied onto"u8);
        Refused(Descriptors.Load(frame, 512), "as descriptors"u8);
        ulong* place = stackalloc ulong[2];
        place[0] = frame;
        place[1] = 0;
        Refused(Xen.Call(HypercallNumber.VcpuOp, 10, 0, (ulong)place), "as the vcpu's page"u8);
        MemoryReservation request = new() { ExtentStart = (ulong)place, ExtentCount = 1, DomainId = DomainIds.Self };
        Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), 0, "given up"u8);

        // Offered on to itself, and written by what the hypervisor writes for a guest.
        Grants.Table[Own] = GrantEntryFlags.PermitAccess | ((ulong)Neighbour.Self << 16) | (frame << 32);
        Report.Check(Grants.Map(Neighbour.Self, Own, (void*)(Window + 0x1000), 0, out _) < 0, "offered on"u8);
        Grants.Table[Own] = 0;
        Xen.Call(HypercallNumber.XenVersion, 1, Window);
        Xen.Call(HypercallNumber.VcpuOp, 4, 0, Window);
        Xen.Call(HypercallNumber.MemoryOp, 12, Window);
        Report.Check(Grants.Copy(Memory.Frame(s_page), DomainIds.Self, s_shown, Neighbour.Victim, GrantCopy.DestinationIsReference) < 0, "copied onto by its reference"u8);
        Report.Same((ushort)Grants.Unmap(handle, window), 0, "its end"u8);
    }

    /// <summary>Mapped into entries that are no entries of its own.</summary>
    private static void Places()
    {
        ulong entry = PageTables.EntryMachine(Window, 1);
        ReadOnlySpan<ulong> wrong = [1, 2, 4, 7, 0x1000_0000_0000_0000, 0x8000_0000_0000_0000];
        for (int i = 0; i < wrong.Length; i++)
        {
            ByEntry(entry ^ wrong[i], "an entry that is none"u8);
        }

        for (int level = 2; level <= 4; level++)
        {
            ByEntry(PageTables.EntryMachine(Window, level), "an entry of a higher table"u8);
        }

        for (int i = 0; i < Neighbour.FrameCount; i++)
        {
            ByEntry(Neighbour.Frame(i) << 12, "an entry of the victim's"u8);
        }

        ByEntry(Memory.Machine(s_page), "an entry in a page"u8);
        ReadOnlySpan<ulong> addresses = [0, 0x8000_0000_0000, 0xFFFF_8000_0000_0000, 0xFFFF_8300_0000_0000, 0xFFFF_87FF_FFFF_F000, ulong.MaxValue];
        for (int i = 0; i < addresses.Length; i++)
        {
            Report.Check(Grants.Map(Neighbour.Victim, s_shown, (void*)addresses[i], GrantMapFlags.ReadOnly, out _) < 0, "an address that is not its own"u8);
        }
    }

    private static void ByEntry(ulong entry, ReadOnlySpan<byte> what)
    {
        GrantMap request = new()
        {
            HostAddress = entry,
            Flags = GrantMapFlags.HostMap | GrantMapFlags.ContainsPte | GrantMapFlags.ReadOnly,
            Reference = s_shown,
            DomainId = Neighbour.Victim,
            Status = 0,
        };
        Report.Check(Grants.Call(0, &request) != 0 || request.Status < 0, what);
    }

    /// <summary>Ends that are not those of the mapping, twice, by wrong handles; and a mapping that was overwritten.</summary>
    private static void Handles()
    {
        ulong* window = (ulong*)Window;
        Report.Same((ushort)Grants.Map(Neighbour.Victim, s_shown, window, GrantMapFlags.ReadOnly, out uint handle), 0, "a mapping"u8);
        ReadOnlySpan<uint> handles = [handle + 1, handle + 500, 0x7FFF_FFFF, 0xFFFF_FFFF];
        for (int i = 0; i < handles.Length; i++)
        {
            Report.Check(Grants.Unmap(handles[i], window) < 0, "a handle that is none"u8);
        }

        Report.Check(Grants.Unmap(handle, window + 512) < 0, "another address"u8);
        GrantUnmap* twice = stackalloc GrantUnmap[2];
        twice[0] = new GrantUnmap { HostAddress = Window, Handle = handle, Status = 1 };
        twice[1] = twice[0];
        Grants.Call(1, twice, 2);
        Report.Same((ushort)twice[0].Status, 0, "its end"u8);
        Report.Check(twice[1].Status < 0, "its end once more in the same call"u8);

        // Overwritten: the references go with the entry, and the handle must not give them back once more.
        byte* page = Memory.TakePage();
        Grants.Offer(Own, Neighbour.Self, page);
        Report.Same((ushort)Grants.Map(Neighbour.Self, Own, window, 0, out handle), 0, "a mapping of its own page"u8);
        Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelWritable);
        Report.Check(Grants.Unmap(handle, window) < 0, "the end of a mapping that is not there"u8);
        GrantUnmap none = new() { HostAddress = 0, Handle = handle, Status = 1 };
        Grants.Call(1, &none);
        PageTables.MakeReadOnly(page);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(page)), XenError.None, "no reference is left"u8);
        Report.Check(Grants.Map(Neighbour.Self, Own, window, 0, out _) < 0, "a table to write by the old offer"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Memory.Frame(page)), XenError.None, "no table"u8);
    }

    private static void Copies()
    {
        ReadOnlySpan<ushort> offsets = [0, 1, 4095, 4096, 0x7FFF, 0xFFFF];
        ReadOnlySpan<ushort> lengths = [0, 1, 4096, 4097, 0x7FFF, 0xFFFF];
        for (int i = 0; i < 216; i++)
        {
            int from = i % 6;
            int to = i / 6 % 6;
            int length = i / 36;
            GrantCopy request = new()
            {
                Source = new GrantCopySide { Page = s_shown, DomainId = Neighbour.Victim, Offset = offsets[from] },
                Destination = new GrantCopySide { Page = Memory.Frame(s_page), DomainId = DomainIds.Self, Offset = offsets[to] },
                Length = lengths[length],
                Flags = GrantCopy.SourceIsReference,
                Status = 1,
            };
            Grants.Call(5, &request);
            bool fits = offsets[from] + lengths[length] <= 4096 && offsets[to] + lengths[length] <= 4096;
            Report.Check(request.Status == 0 == fits || (lengths[length] == 0 && request.Status <= 0), "a copy past the end of a page"u8);
        }

        Report.Check(Grants.Copy(s_shown, Neighbour.Victim, s_shown, Neighbour.Victim, 3) < 0, "a copy within the victim's memory"u8);
        Report.Check(Grants.Copy(Neighbour.Frame(0), Neighbour.Victim, Memory.Frame(s_page), DomainIds.Self, 0) < 0, "a copy of the victim's frame"u8);
    }

    private static void Transfers()
    {
        for (uint reference = 0; reference < 64; reference++)
        {
            GrantTransfer request = new() { Frame = Memory.Frame(s_page), DomainId = Neighbour.Victim, Reference = reference, Status = 1 };
            Grants.Call(4, &request);
            Report.Check(request.Status < 0, "a page forced on the victim"u8);
        }
    }

    /// <summary>As many mappings as there can be; then all of them are given back and the first one works.</summary>
    private static void Limits()
    {
        byte* page = Memory.TakePage();
        Grants.Offer(OwnForLimits, Neighbour.Self, page);
        uint count = 0;
        uint last = 0;
        GrantMap request = default;
        while (count < 100_000)
        {
            request = new GrantMap { Flags = GrantMapFlags.DeviceMap, Reference = OwnForLimits, DomainId = Neighbour.Self, Status = 1 };
            if (Grants.Call(0, &request) != 0 || request.Status != 0)
            {
                break;
            }

            last = request.Handle;
            count++;
        }

        Report.Check(count is > 0 and < 100_000, "there is an end to mappings"u8);
        for (uint handle = 0; handle < count + 600; handle++)
        {
            GrantUnmap end = new() { BusAddress = Memory.Machine(page), Handle = handle, Status = 1 };
            Grants.Call(1, &end);
        }

        Report.Check(last != 0 && (Grants.Table[OwnForLimits] & Marks) == 0, "no marks are left"u8);
        GrantSetupTable setup = new() { DomainId = DomainIds.Self, FrameCount = 0xFFFF_FFFF, Status = 1, FrameList = Window };
        Report.Check(Grants.Call(2, &setup) != 0 || setup.Status < 0, "a table without end"u8);
        uint version = 2;
        Refused(Grants.Call(8, &version), "another version in use"u8);
    }

    /// <summary>Shown, taken back, and full of secrets: by no handle, entry or reference does it show any more.</summary>
    private static void AfterLife()
    {
        ulong* window = (ulong*)Window;
        Report.Same((ushort)Grants.Map(Neighbour.Victim, s_shown, window, GrantMapFlags.ReadOnly, out uint handle), 0, "a mapping"u8);
        Report.Same(Neighbour.Ask(Letter.TakeBack), Letter.StillInUse, "it is not taken back while it is mapped"u8);
        ulong frame = (*PageTables.Entry(Window, 1) & PageTables.FrameMask) >> 12;
        Report.Same((ushort)Grants.Unmap(handle, window), 0, "its end"u8);
        Report.Same(Neighbour.Ask(Letter.TakeBack), Letter.TakenBack, "it is taken back"u8);
        ProbeRegisters registers = new() { Rcx = Window };
        Report.Same(Traps.Try([0x48, 0x8B, 0x01], ref registers), 14, "a read of it"u8);
        Refused(Xen.UpdateVaMapping(Window, (frame << 12) | PageTables.KernelReadable), "its frame"u8);
        NoMap(Neighbour.Victim, s_shown, "its entry"u8);
        Report.Check(Grants.Unmap(handle, window) < 0, "its handle"u8);
    }

    private static void Refused(long result, ReadOnlySpan<byte> what) => Report.Check(result < 0, what);
}
