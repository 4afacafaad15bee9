// multicall: order, results, nesting, lists that cannot be read, work that is interrupted, and iret as an entry.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class MulticallProgram
{
    private const ulong Nowhere = 0x1234_5678_9000;

    private static MulticallEntry* s_list;

    [RuntimeExport("guest_multicall")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        UserSpace.Start();
        s_list = (MulticallEntry*)Memory.TakePage();
        Results();
        Nested();
        Unreadable();
        Long();
        IretToUser();
        IretToKernel();
    }

    private static long Run(ulong count) => Xen.Call(HypercallNumber.Multicall, (ulong)s_list, count);

    private static void Put(int index, HypercallNumber number, ulong first = 0, ulong second = 0, ulong third = 0, ulong fourth = 0) =>
        s_list[index] = new MulticallEntry
        {
            Operation = (ulong)number,
            Result = 0x5555,
            Argument0 = first,
            Argument1 = second,
            Argument2 = third,
            Argument3 = fourth,
        };

    private static void Results()
    {
        Report.Result(Run(0), XenError.None, "an empty list"u8);
        Put(0, HypercallNumber.XenVersion);
        Put(1, (HypercallNumber)63);
        Put(2, HypercallNumber.SetDebugReg, 0, 0xFFFF_8300_0000_0000);
        Put(3, HypercallNumber.XenVersion, 7);
        Put(4, (HypercallNumber)0x1_0000_0011);
        Report.Result(Run(5), XenError.None, "five entries"u8);
        Report.Same((ulong)s_list[0].Result, 0x4_0011, "the version"u8);
        Report.Result(s_list[1].Result, XenError.NotImplemented, "an unknown number"u8);
        Report.Result(s_list[2].Result, XenError.NotPermitted, "a call that fails"u8);
        Report.Same((ulong)s_list[3].Result, 4096, "the call behind it"u8);
        Report.Result(s_list[4].Result, XenError.NotImplemented, "an unknown number of 33 bits"u8);
        Report.Same(s_list[0].Operation, (ulong)HypercallNumber.XenVersion, "the number stays"u8);
        Report.Same(s_list[3].Argument0, 7, "an argument stays"u8);
    }

    private static void Nested()
    {
        Put(0, HypercallNumber.Multicall, (ulong)(s_list + 4), 1);
        Put(1, HypercallNumber.XenVersion);
        Put(4, HypercallNumber.XenVersion);
        Report.Result(Run(2), XenError.None, "a list within a list"u8);
        Report.Result(s_list[0].Result, XenError.Invalid, "the inner list"u8);
        Report.Same((ulong)s_list[1].Result, 0x4_0011, "the entry behind it"u8);
        Report.Same((ulong)s_list[4].Result, 0x5555, "the inner entry was not executed"u8);
    }

    private static void Unreadable()
    {
        Report.Result(Xen.Call(HypercallNumber.Multicall, Nowhere, 1), XenError.Fault, "a list that is not there"u8);
        Report.Result(Xen.Call(HypercallNumber.Multicall, 0xFFFF_8300_0000_0000, 1), XenError.Fault, "a list in the hypervisor"u8);
        Report.Result(Xen.Call(HypercallNumber.Multicall, 0x8000_0000_0000_0000, 1), XenError.Fault, "a list at no address"u8);

        // The last entry of the page, and then nothing.
        byte* behind = Memory.TakePage();
        Report.Result(Xen.UpdateVaMapping((ulong)behind, 0), XenError.None, "nothing behind the list"u8);
        MulticallEntry* last = (MulticallEntry*)behind - 1;
        *last = new MulticallEntry { Operation = (ulong)HypercallNumber.XenVersion };
        Report.Result(Xen.Call(HypercallNumber.Multicall, (ulong)last, 3), XenError.Fault, "a list that ends"u8);
        Report.Same((ulong)last->Result, 0x4_0011, "the entry before the end"u8);
        Report.Result(PageTables.MakeWritable(behind), XenError.None, "the page again"u8);

        // A list that can be read but takes no results.
        Put(0, HypercallNumber.XenVersion);
        PageTables.MakeReadOnly(s_list);
        Report.Result(Run(1), XenError.Fault, "a list that cannot be written"u8);
        PageTables.MakeWritable(s_list);
    }

    /// <summary>So much work that it is done in several pieces; nothing of that is to be seen.</summary>
    private static void Long()
    {
        const int Updates = 4096 / 16;
        MmuUpdate* updates = (MmuUpdate*)Memory.TakePage();
        byte* page = Memory.TakePage();
        ulong machine = PageTables.EntryMachine((ulong)page, 1);
        ulong plain = Memory.Machine(page) | PageTables.KernelWritable;
        for (int i = 0; i < Updates; i++)
        {
            updates[i] = new MmuUpdate { Pointer = machine, Value = (i & 1) == 0 ? plain : Memory.Machine(page) | PageTables.KernelReadable };
        }

        updates[Updates - 1].Value = plain | 0x200;
        for (int round = 0; round < 20; round++)
        {
            uint* done = (uint*)(s_list + 63);
            for (int i = 0; i < 60; i++)
            {
                Put(i, HypercallNumber.MmuUpdate, (ulong)updates, Updates, 0, DomainIds.Self);
            }

            Put(30, HypercallNumber.MmuUpdate, (ulong)updates, Updates, (ulong)done, DomainIds.Self);
            *done = 1;
            Report.Result(Run(60), XenError.None, "a long list"u8);
            Report.Same(*done, Updates, "the updates of an entry that was perhaps interrupted"u8);
            for (int i = 0; i < 60; i++)
            {
                if (!Report.Result(s_list[i].Result, XenError.None, "an entry of the long list"u8))
                {
                    break;
                }
            }
        }

        Report.Same(*PageTables.Entry((ulong)page, 1) & 0x200, 0x200, "the last update is in force"u8);
    }

    /// <summary>After an iret to user mode nothing more of the list is executed: it would be done with a user program's rights in mind.</summary>
    private static void IretToUser()
    {
        UserSpace.Load([0xCC]);
        Put(0, HypercallNumber.Iret);
        Put(1, HypercallNumber.SetDebugReg, 0, 0x1234_0000);
        Xen.Call(HypercallNumber.SetDebugReg, 0, 0x1000);
        IretContext* frame = (IretContext*)(Memory.TakePage() + 1024);
        *frame = UserSpace.Frame();
        ProbeRegisters registers = new() { Rax = (ulong)HypercallNumber.Multicall, Rdi = (ulong)s_list, Rsi = 2, Rbx = (ulong)frame };

        // mov rsp, rbx; syscall; ud2
        Report.Same(Traps.Try([0x48, 0x89, 0xDC, 0x0F, 0x05, 0x0F, 0x0B], ref registers), 3, "iret in a list"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 1, "the user program ran"u8);
        Report.Same(Traps.Last.Cs & 3, 3, "in user mode"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 0), 0x1000, "the entry behind iret was not executed"u8);
    }

    private static void IretToKernel()
    {
        byte* code = Traps.Code([0x48, 0x89, 0xDC, 0x0F, 0x05, 0x0F, 0x0B]);
        code[16] = 0xCC;
        IretContext* frame = (IretContext*)(Memory.TakePage() + 1024);
        *frame = new IretContext { Rip = (ulong)code + 16, Cs = 0xE030, Rflags = 0x202, Rsp = (ulong)frame, Ss = 0xE02B, Rax = 0x77 };
        Put(0, HypercallNumber.Iret);
        Put(1, HypercallNumber.SetDebugReg, 0, 0x2000);
        ProbeRegisters registers = new() { Rax = (ulong)HypercallNumber.Multicall, Rdi = (ulong)s_list, Rsi = 2, Rbx = (ulong)frame };
        Report.Same(Traps.Try(code, ref registers), 3, "iret in a list, to the kernel"u8);
        Report.Same(Traps.Last.Rip, (ulong)code + 17, "where it went"u8);
        Report.Note("rax behind it"u8, Traps.Last.Rax);
        Report.Note("the entry behind it"u8, (ulong)Xen.Call(HypercallNumber.GetDebugReg, 0));
        Events.Mask = 1;
    }
}
