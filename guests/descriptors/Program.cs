// descriptors: what the guest may put into its GDT and LDT, by table and by hypercall, and what a descriptor page may be.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class DescriptorsProgram
{
    private const ulong PrivilegeThree = 3UL << 45;
    private const ulong LocalAddress = 0;

    [RuntimeExport("guest_descriptors")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Kinds();
        Tables();
        ByHypercall();
        Use();
        Limits();
        Local();
    }

    private static bool Accepts(ulong descriptor, out ulong stored)
    {
        ulong* page = (ulong*)Memory.TakePage();
        page[3] = descriptor;
        PageTables.MakeReadOnly(page);
        bool accepted = Descriptors.Load(Memory.Frame(page), 512) == 0;
        stored = page[3];
        Descriptors.Load(0, 0);
        return accepted;
    }

    private static void Kinds()
    {
        Report.Check(Accepts(0, out _), "an empty descriptor"u8);
        Report.Check(Accepts(Descriptors.Code64, out _), "code"u8);
        Report.Check(Accepts(Descriptors.Code32, out _), "32-bit code"u8);
        Report.Check(Accepts(Descriptors.Data, out _), "data"u8);
        Report.Check(Accepts(Descriptors.Code64Ring0, out ulong stored), "code of privilege 0"u8);
        Report.Same(stored & PrivilegeThree, PrivilegeThree, "it becomes privilege 3"u8);
        Report.Check(Accepts(Descriptors.DataRing0, out stored), "data of privilege 0"u8);
        Report.Same(stored & PrivilegeThree, PrivilegeThree, "it becomes privilege 3"u8);
        Report.Check(Accepts(0x0000_1234_5678_9ABC & ~(1UL << 47), out _), "anything that is not present"u8);
        for (ulong type = 1; type < 16; type++)
        {
            if (type != 12)
            {
                Report.Check(!Accepts((1UL << 47) | (type << 40) | 0x1000_0000, out _), "a system descriptor"u8);
            }
        }

        Report.Check(Accepts(1UL << 47, out _), "system type 0"u8);
        Report.Check(!Accepts((1UL << 47) | (12UL << 40) | (0xE008UL << 16) | PrivilegeThree, out _), "a call gate to the hypervisor's code"u8);
        Report.Check(!Accepts((1UL << 47) | (12UL << 40) | (0xE008UL << 16), out _), "a call gate of privilege 0 to the hypervisor's code"u8);
        Report.Check(!Accepts((1UL << 47) | (12UL << 40) | (0xE043UL << 16), out _), "a call gate to the task state"u8);
    }

    private static void Tables()
    {
        ulong* page = (ulong*)Memory.TakePage();
        Report.Result(Descriptors.Load(Memory.Frame(page), 512), XenError.Invalid, "a table that is mapped writable"u8);
        PageTables.MakeReadOnly(page);
        Report.Result(Descriptors.Load(Memory.Frame(page), 7169), XenError.Invalid, "too many descriptors"u8);
        Report.Result(Descriptors.Load(Memory.Frame(page), ~0UL), XenError.Invalid, "far too many descriptors"u8);
        Report.Result(Xen.Call(HypercallNumber.SetGdt, 0x1234_5678_9000, 512), XenError.Fault, "a list of frames that is not there"u8);
        Report.Result(Descriptors.Load(1UL << 38, 512), XenError.Invalid, "a frame that is not there"u8);
        Report.Result(Descriptors.Load(0xB8, 512), XenError.Invalid, "device memory"u8);
        Report.Result(Descriptors.Load(Memory.Frame(Memory.Root), 512), XenError.Invalid, "a page table"u8);
        Report.Result(Descriptors.Load(Memory.Frame(page), 512), XenError.None, "a table"u8);
        Report.Result(PageTables.MakeWritable(page), XenError.Busy, "the table, to write"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.PinL1Table, Memory.Frame(page)), XenError.Invalid, "the table as a page table"u8);
        Report.Result(Descriptors.Load(Memory.Frame(page), 16), XenError.None, "the same table, shorter"u8);
        ulong* frames = stackalloc ulong[2];
        frames[0] = Memory.Frame(page);
        frames[1] = Memory.Frame(Memory.Root);
        Report.Result(Xen.Call(HypercallNumber.SetGdt, (ulong)frames, 1024), XenError.Invalid, "the second frame is bad"u8);
        Report.Result(PageTables.MakeWritable(page), XenError.Busy, "the old table is still in use"u8);
        frames[1] = frames[0];
        Report.Result(Xen.Call(HypercallNumber.SetGdt, (ulong)frames, 1024), XenError.None, "one frame twice"u8);
        Report.Result(Descriptors.Load(0, 0), XenError.None, "no table"u8);
        Report.Result(PageTables.MakeWritable(page), XenError.None, "the table is memory again"u8);
    }

    private static void ByHypercall()
    {
        Descriptors.Start();
        Report.Result(Descriptors.Write(3, Descriptors.Code64Ring0), XenError.None, "code of privilege 0 by hypercall"u8);
        Report.Same(Descriptors.Table[3] & PrivilegeThree, PrivilegeThree, "it becomes privilege 3"u8);
        Report.Result(Descriptors.Write(4, (1UL << 47) | (9UL << 40)), XenError.Invalid, "a task state by hypercall"u8);
        Report.Result(Descriptors.Write(4, (1UL << 47) | (14UL << 40)), XenError.Invalid, "an interrupt gate by hypercall"u8);
        Report.Result(Descriptors.Write(4, (1UL << 47) | (2UL << 40)), XenError.Invalid, "a local table by hypercall"u8);
        Report.Same(Descriptors.Table[4], 0, "the refused descriptor was not stored"u8);
        ulong machine = Memory.Machine(Descriptors.Table);
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, machine + 4, Descriptors.Data), XenError.Invalid, "an odd address"u8);
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, 1UL << 50, Descriptors.Data), XenError.Invalid, "an address outside of memory"u8);
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, 0xB_8000, Descriptors.Data), XenError.Invalid, "device memory"u8);
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, Memory.Machine(Memory.Root), 0), XenError.Invalid, "a page table"u8);
        byte* page = Memory.TakePage();
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, Memory.Machine(page) + 8, Descriptors.Data), XenError.None, "a page that is no table"u8);
        Report.Same(((ulong*)page)[1], Descriptors.Data, "what was stored there"u8);
    }

    private static void Use()
    {
        Descriptors.Write(5, Descriptors.Data);
        Report.Same(Traps.Try([0x31, 0xC0, 0xB0, 0x2B, 0x8E, 0xD8, 0x8C, 0xD9]), Traps.None, "data of the guest's table"u8);
        Report.Check((Descriptors.Table[5] & (1UL << 40)) != 0, "the processor marks it as accessed"u8);

        // mov eax, 0xE010; mov ds, eax: the hypervisor's own data.
        Report.Same(Traps.Try([0xB8, 0x10, 0xE0, 0, 0, 0x8E, 0xD8]), 13, "the hypervisor's data"u8);
        Report.Same(Traps.Try([0xB8, 0x2B, 0xE0, 0, 0, 0x8E, 0xD8]), Traps.None, "the flat data"u8);
        Report.Same(Traps.Try([0x31, 0xC0, 0x8E, 0xD8]), Traps.None, "null"u8);

        // push 0xE008; push rax; retfq with rax = here.
        ProbeRegisters registers = new() { Rax = (ulong)Memory.CodePage };
        Report.Same(Traps.Try([0x68, 0x08, 0xE0, 0, 0, 0x50, 0x48, 0xCB], ref registers), 13, "a far return to the hypervisor's code"u8);
        Report.Same(Traps.Try([0x68, 0x0B, 0xE0, 0, 0, 0x50, 0x48, 0xCB], ref registers), 13, "a far return to the hypervisor's code with privilege 3"u8);
    }

    private static void Limits()
    {
        // The guest's part ends where its frames end: the rest reads as empty.
        Report.Same(Traps.Try([0xB8, 0x03, 0x10, 0, 0, 0x8E, 0xD8]), 13, "a descriptor behind the guest's table"u8);
        Report.Same(Traps.Last.ErrorCode, 0x1000, "its error code"u8);
        Report.Same(Traps.Try([0xB8, 0xFB, 0xDF, 0, 0, 0x8E, 0xD8]), 13, "the last descriptor before the hypervisor's"u8);
        Report.Same(Traps.Last.ErrorCode, 0xDFF8, "its error code"u8);
        Report.Same(Traps.Try([0xB8, 0xFB, 0xFF, 0, 0, 0x8E, 0xD8]), 13, "a descriptor behind all"u8);
    }

    private static void Local()
    {
        ulong* page = (ulong*)Memory.TakePage();
        page[1] = Descriptors.Data;
        page[2] = (1UL << 47) | (9UL << 40);
        ReadOnlySpan<byte> load = [0xB8, 0x0F, 0, 0, 0, 0x8E, 0xD8];
        Report.Same(Traps.Try(load), 13, "without a local table"u8);
        Report.Same(Traps.Last.ErrorCode, 0xC, "its error code"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, (ulong)page + 8, 16), XenError.Invalid, "a local table at an odd address"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, (ulong)page, 8193), XenError.Invalid, "too many local descriptors"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, 0xFFFF_8300_0000_0000, 16), XenError.Invalid, "a local table in the hypervisor"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, (ulong)page, 16), XenError.None, "a local table"u8);
        Report.Same(Traps.Try(load), 14, "a local table that is mapped writable"u8);
        Report.Same(Traps.Cr2, (ulong)page + 8, "its address"u8);
        PageTables.MakeReadOnly(page);
        Report.Same(Traps.Try(load), 14, "a local table with a bad descriptor"u8);
        PageTables.MakeWritable(page);
        page[2] = 0;
        PageTables.MakeReadOnly(page);
        Report.Same(Traps.Try(load), Traps.None, "a good local table"u8);
        Report.Result(PageTables.MakeWritable(page), XenError.Busy, "the local table, to write"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.NewBasePointer, Memory.Frame(Memory.Root)), XenError.None, "the root again lets go of it"u8);
        Report.Same(Traps.Try(load), Traps.None, "and it comes back"u8);
        Report.Result(Xen.Call(HypercallNumber.UpdateDescriptor, Memory.Machine(page) + 16, (1UL << 47) | (9UL << 40)), XenError.Invalid, "a task state by hypercall"u8);

        // A page that is not there: the fault names the address that the guest gave.
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, 0x1234_5678_9000, 1024), XenError.None, "a local table that is not there"u8);
        Report.Same(Traps.Try(load), 14, "its use"u8);
        Report.Same(Traps.Cr2, 0x1234_5678_9008, "its address"u8);
        Report.Same(Traps.Last.ErrorCode & 5, 0, "its error code"u8);
        Report.Result(Xen.MmuExtended(MmuExtendedCommand.SetLdt, LocalAddress, 0), XenError.None, "no local table"u8);
        Report.Result(PageTables.MakeWritable(page), XenError.None, "it is memory again"u8);
        Report.Same(Traps.Try(load), 13, "without a local table again"u8);
        Traps.Try([0x31, 0xC0, 0x8E, 0xD8]);
    }
}
