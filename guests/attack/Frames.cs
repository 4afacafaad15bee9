// attack_frames: memory of others, by every path that takes the number of a frame or of a domain.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class FramesAttack
{
    private const ulong Window = 0x6000_0000_0000;
    private const ulong FirstDeviceFrame = 0xFE000;
    private const ulong LastDeviceFrame = 0xFEFFF;
    private const int Rounds = 40;
    private const int FramesPerRound = 64;

    private static ulong* s_level1;
    private static ulong* s_level2;
    private static ulong* s_level3;
    private static ulong* s_page;
    private static ulong* s_own;
    private static ulong s_frames;
    private static bool s_taken;

    [RuntimeExport("guest_attack_frames")]
    private static void Main()
    {
        Neighbour.Start();
        MakeTables();
        for (int i = 0; i < Neighbour.FrameCount; i++)
        {
            OneFrame(Neighbour.Frame(i));
        }

        OneFrame(0);
        OneFrame(0xB8);
        OneFrame(0xFEE00);
        OneFrame(0xFEC00);
        OneFrame(s_frames);
        OneFrame(1UL << 28);
        OneFrame((1UL << 40) - 1);
        OneFrame(ulong.MaxValue >> 12);
        OneFrame(ulong.MaxValue);
        AllFrames();
        OtherDomains();
        NewMemory();
        Neighbour.Finish();
    }

    private static void MakeTables()
    {
        s_page = (ulong*)Memory.TakePage();
        s_own = (ulong*)Memory.TakePage();
        s_level1 = (ulong*)Memory.TakePage();
        s_level2 = (ulong*)Memory.TakePage();
        s_level3 = (ulong*)Memory.TakePage();
        s_level1[0] = Memory.Machine(s_page) | PageTables.KernelWritable;
        s_level2[0] = Memory.Machine(s_level1) | PageTables.Table;
        s_level3[0] = Memory.Machine(s_level2) | PageTables.Table;
        PageTables.Protect(s_level3, 3);
        Report.Result(Xen.MmuUpdate(PageTables.EntryMachine(Window, 4), Memory.Machine(s_level3) | PageTables.Table), XenError.None, "tables of its own"u8);
        s_frames = (ulong)Xen.Call(HypercallNumber.MemoryOp, 2);
        Report.Check(s_frames > Memory.PageCount, "the machine has more memory than this domain"u8);
    }

    /// <summary>Everything that takes a frame's number, with one that is not its own.</summary>
    private static void OneFrame(ulong frame)
    {
        Map(frame);
        Retype(frame);
        Describe(frame);
        Give(frame);
        Copy(frame);
    }

    private static void Map(ulong frame)
    {
        ulong target = frame << 12;
        Refused(Xen.UpdateVaMapping(Window, target | PageTables.KernelReadable), "update_va_mapping to read"u8, frame);
        Refused(Xen.UpdateVaMapping(Window, target | PageTables.KernelWritable), "update_va_mapping to write"u8, frame);
        Refused(Xen.UpdateVaMapping(Window + 0x1000, target | PageTables.UserWritable | PageTables.Global), "update_va_mapping of an empty entry"u8, frame);
        for (ulong command = 0; command < 4; command++)
        {
            if (command != MmuUpdate.MachineToPhysicalUpdate)
            {
                Refused(Xen.MmuUpdate(Memory.Machine(s_level1 + 2) | command, target | PageTables.KernelReadable), "mmu_update at level 1"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(s_level2 + 2) | command, target | PageTables.Table), "mmu_update at level 2"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(s_level2 + 2) | command, target | PageTables.Table | PageTables.Large), "a large page at level 2"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(s_level3 + 2) | command, target | PageTables.Table), "mmu_update at level 3"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(s_level3 + 2) | command, target | PageTables.Table | PageTables.Large), "a large page at level 3"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(Memory.Root + 5) | command, target | PageTables.Table), "mmu_update at level 4"u8, frame);
                Refused(Xen.MmuUpdate(Memory.Machine(Memory.Root + 5) | command, target | PageTables.KernelReadable), "mmu_update at level 4 to read"u8, frame);
                Refused(Xen.MmuUpdate(target | command, 0), "a write of 0 by mmu_update"u8, frame);
                Refused(Xen.MmuUpdate(target | command, Memory.Machine(s_page) | PageTables.KernelReadable), "a write of an entry by mmu_update"u8, frame);
            }
        }

        Report.Same(s_level1[1] | s_level1[2] | s_level2[2] | s_level3[2] | Memory.Root[5], 0, "no entry was stored"u8);
        Report.Same(s_level1[0] & PageTables.FrameMask, Memory.Machine(s_page), "the entry is what it was"u8);

        // A write to a table that the hypervisor carries out in the kernel's stead.
        ProbeRegisters registers = new() { Rcx = (ulong)(s_level1 + 3), Rax = target | PageTables.KernelReadable };
        Report.Check(Traps.Try([0x48, 0x89, 0x01], ref registers) == 14 || s_level1[3] == 0, "a write to a table"u8);
        Report.Same(s_level1[3], 0, "no entry by a write"u8);
    }

    private static void Retype(ulong frame)
    {
        for (uint command = 0; command <= (uint)MmuExtendedCommand.NewBasePointer; command++)
        {
            Refused(Xen.MmuExtended((MmuExtendedCommand)command, frame), "pinning, unpinning, a root"u8, frame);
        }

        if (frame != 0)
        {
            Refused(Xen.MmuExtended(MmuExtendedCommand.NewUserBasePointer, frame), "a user root"u8, frame);
        }

        Refused(Xen.MmuExtended(MmuExtendedCommand.ClearPage, frame), "clear a page"u8, frame);
        Refused(Xen.MmuExtended(MmuExtendedCommand.CopyPage, frame, Memory.Frame(s_page)), "copy onto a page"u8, frame);
        Refused(Xen.MmuExtended(MmuExtendedCommand.CopyPage, Memory.Frame(s_own), frame), "copy from a page"u8, frame);
        ProbeRegisters registers = new() { Rax = frame << 12 };
        Report.Check(Traps.Try([0x0F, 0x22, 0xD8], ref registers) == 13, "a root by a mov to cr3"u8);
    }

    private static void Describe(ulong frame)
    {
        Refused(Descriptors.Load(frame, 512), "a descriptor table"u8, frame);
        Refused(Xen.Call(HypercallNumber.UpdateDescriptor, frame << 12, Descriptors.Code64), "a descriptor"u8, frame);
        ulong* place = stackalloc ulong[2];
        place[0] = frame;
        place[1] = 0;
        Refused(Xen.Call(HypercallNumber.VcpuOp, 10, 0, (ulong)place), "the vcpu's page"u8, frame);
    }

    private static void Give(ulong frame)
    {
        ulong list = frame;
        MemoryReservation request = new() { ExtentStart = (ulong)(&list), ExtentCount = 1, DomainId = DomainIds.Self };
        Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), 0, "giving it up"u8);
        request.DomainId = Neighbour.Victim;
        Report.Check(Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)) <= 0, "giving it up for its owner"u8);
        ulong pfn = 1;
        MemoryExchange exchange = new()
        {
            In = new MemoryReservation { ExtentStart = (ulong)(&list), ExtentCount = 1, DomainId = DomainIds.Self },
            Out = new MemoryReservation { ExtentStart = (ulong)(&pfn), ExtentCount = 1, DomainId = DomainIds.Self },
        };
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), "exchanging it"u8, frame);
        exchange.In.DomainId = exchange.Out.DomainId = Neighbour.Victim;
        exchange.ExchangedCount = 0;
        Refused(Xen.Call(HypercallNumber.MemoryOp, 11, (ulong)(&exchange)), "exchanging it for its owner"u8, frame);
        GrantTransfer transfer = new() { Frame = frame, DomainId = Neighbour.Victim, Reference = Neighbour.FirstLetter + Neighbour.Self, Status = 1 };
        Grants.Call(4, &transfer);
        Report.Check(transfer.Status != 0, "transferring it"u8);
        Refused(Xen.MmuUpdate((frame << 12) | MmuUpdate.MachineToPhysicalUpdate, 0x1234), "its place in the list of places"u8, frame);
    }

    private static void Copy(ulong frame)
    {
        s_own[0] = 0x4F4F;
        Report.Check(Grants.Copy(frame, DomainIds.Self, Memory.Frame(s_own), DomainIds.Self, 0) != 0, "copying from it"u8);
        Report.Check(Grants.Copy(Memory.Frame(s_own), DomainIds.Self, frame, DomainIds.Self, 0) != 0, "copying to it"u8);
        Report.Check(Grants.Copy(frame, Neighbour.Victim, Memory.Frame(s_own), DomainIds.Self, 0) != 0, "copying from it by its owner's name"u8);
        Report.Check(Grants.Copy(Memory.Frame(s_own), DomainIds.Self, frame, Neighbour.Victim, 0) != 0, "copying to it by its owner's name"u8);

        // An entry of its own that offers a frame that is not its own, taken by itself and copied.
        Grants.Table[100] = GrantEntryFlags.PermitAccess | ((ulong)Neighbour.Self << 16) | (frame << 32);
        Report.Check(Grants.Map(Neighbour.Self, 100, s_own, GrantMapFlags.ReadOnly, out _) != 0, "offering it and mapping it"u8);
        Report.Check(Grants.Copy(100, Neighbour.Self, Memory.Frame(s_own), DomainIds.Self, GrantCopy.SourceIsReference) != 0, "offering it and copying it"u8);
        Report.Check(Grants.Copy(Memory.Frame(s_own), DomainIds.Self, 100, Neighbour.Self, GrantCopy.DestinationIsReference) != 0, "offering it and writing it"u8);
        Report.Same(s_own[0], 0x4F4F, "nothing was copied"u8);
    }

    /// <summary>Every frame of the machine, and of the devices below 4 GiB.</summary>
    private static void AllFrames()
    {
        Report.Same(Foreign(0, s_frames + 16) + Foreign(FirstDeviceFrame, LastDeviceFrame), 0, "frames of others that can be mapped"u8);
        Report.Result(Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelWritable), XenError.None, "its own page again"u8);
    }

    private static ulong Foreign(ulong first, ulong end)
    {
        ulong mapped = 0;
        for (ulong frame = first; frame < end; frame++)
        {
            if (Xen.UpdateVaMapping(Window, (frame << 12) | PageTables.KernelReadable, 0) == 0 && !IsOwn(frame))
            {
                Report.Note("a frame of others can be mapped"u8, frame);
                mapped++;
            }
        }

        return mapped;
    }

    private static bool IsOwn(ulong frame)
    {
        if (frame == Grants.Frame || frame == *(ulong*)(Memory.StartInfo + StartInfoLayout.SharedInfo) >> 12)
        {
            return true;
        }

        for (ulong i = 0; i < Memory.PageCount; i++)
        {
            if (Memory.MfnList[i] == frame)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Other domains by their number, where a call takes one.</summary>
    private static void OtherDomains()
    {
        ReadOnlySpan<ushort> domains = [0, 1, 2, 3, 4, 5, 0x7000, DomainIds.Io, DomainIds.Xen, DomainIds.Cow, DomainIds.Invalid, DomainIds.Idle, 0xFFFF];
        for (int i = 0; i < domains.Length; i++)
        {
            ushort domain = domains[i];
            if (domain == Neighbour.Self)
            {
                continue;
            }

            for (int frame = 0; frame < Neighbour.FrameCount; frame++)
            {
                ulong entry = (Neighbour.Frame(frame) << 12) | PageTables.KernelReadable;
                Refused(Xen.MmuUpdate(Memory.Machine(s_level1 + 2), entry, domain), "an entry for another domain"u8, domain);
                Refused(Xen.MmuUpdate(Memory.Machine(s_level1 + 2), entry, domain | ((domain + 1UL) << 16)), "an entry in another domain's table"u8, domain);
                Refused(Xen.Call(HypercallNumber.UpdateVaMappingOtherDomain, Window + 0x2000, entry, 0, domain), "an address of another domain"u8, domain);
                Refused(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Neighbour.Frame(frame), 0, domain), "pinning for another domain"u8, domain);
                Refused(Xen.MmuExtended(MmuExtendedCommand.UnpinTable, Neighbour.Frame(frame), 0, domain), "unpinning for another domain"u8, domain);
            }

            MemoryReservation request = new() { ExtentCount = 1, DomainId = domain };
            Report.Check(Xen.Call(HypercallNumber.MemoryOp, 0, (ulong)(&request)) <= 0, "memory for another domain"u8);
            Report.Check(Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)) <= 0, "memory for another domain"u8);
            Refused(Xen.Call(HypercallNumber.MemoryOp, 3, (ulong)(&domain)), "how much memory another domain has"u8, domain);
            Refused(Xen.Call(HypercallNumber.MemoryOp, 24, (ulong)(&request)), "a claim for another domain"u8, domain);
            GrantSetupTable setup = new() { DomainId = domain, Status = 0 };
            Report.Check(Grants.Call(2, &setup) != 0 || setup.Status != 0, "the grant table of another domain"u8);
            uint* shutdown = stackalloc uint[2];
            shutdown[0] = domain;
            shutdown[1] = 0;
            Refused(Xen.Call(HypercallNumber.SchedOp, 4, (ulong)shutdown), "shutting down another domain"u8, domain);
            Refused(Xen.EventChannel(10, shutdown), "closing the ports of another domain"u8, domain);
            ulong port = domain | ((ulong)Neighbour.Self << 16);
            Refused(Xen.EventChannel(6, &port), "a port of another domain"u8, domain);
        }

        Report.Same(s_level1[2], 0, "no entry was stored"u8);
        Refused(Xen.Call(HypercallNumber.Domctl, (ulong)s_own), "domctl"u8, 0);
        Refused(Xen.Call(HypercallNumber.Sysctl, (ulong)s_own), "sysctl"u8, 0);
        Refused(Xen.Call(HypercallNumber.PlatformOp, (ulong)s_own), "platform_op"u8, 0);
    }

    /// <summary>What a domain gets holds nothing that others left there; the victim gave up a page full of secrets.</summary>
    private static void NewMemory()
    {
        ulong* frames = stackalloc ulong[FramesPerRound];
        for (int round = 0; round < Rounds; round++)
        {
            GiveUp(frames);
            for (int i = 0; i < FramesPerRound; i++)
            {
                frames[i] = (ulong)i;
            }

            MemoryReservation request = new() { ExtentStart = (ulong)frames, ExtentCount = FramesPerRound, DomainId = DomainIds.Self };
            if (!Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 6, (ulong)(&request)), FramesPerRound, "new memory"u8))
            {
                return;
            }

            for (int i = 0; i < FramesPerRound; i++)
            {
                Xen.UpdateVaMapping(Window, (frames[i] << 12) | PageTables.KernelWritable);
                ulong* words = (ulong*)Window;
                ulong all = 0;
                for (int word = 0; word < 512; word++)
                {
                    all |= words[word];
                    words[word] = 0xDEAD_0000_0000_0000 + frames[i];
                }

                Report.Same(all, 0, "new memory is empty"u8);
            }

            Xen.UpdateVaMapping(Window, Memory.Machine(s_page) | PageTables.KernelWritable);
            s_taken = true;
        }
    }

    /// <summary>The frames of the last round; in the first one, pages from the end of the initial memory.</summary>
    private static void GiveUp(ulong* frames)
    {
        for (int i = 0; i < FramesPerRound && !s_taken; i++)
        {
            ulong page = Memory.PageCount - 1 - (ulong)i;
            frames[i] = Memory.MfnList[page];
            Xen.UpdateVaMapping(Memory.VirtualBase + (page << 12), 0);
        }

        MemoryReservation request = new() { ExtentStart = (ulong)frames, ExtentCount = FramesPerRound, DomainId = DomainIds.Self };
        Report.Same((ulong)Xen.Call(HypercallNumber.MemoryOp, 1, (ulong)(&request)), FramesPerRound, "memory is given up"u8);
    }

    private static void Refused(long result, ReadOnlySpan<byte> what, ulong subject)
    {
        if (!Report.Check(result < 0, what))
        {
            Report.Note("the subject was"u8, subject);
        }
    }
}
