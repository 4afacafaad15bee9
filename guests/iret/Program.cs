// iret: from the kernel to a user program and back; flags; bad selectors come back as exceptions.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class IretProgram
{
    private const ulong KernelCode = 0xE030;

    [RuntimeExport("guest_iret")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        UserSpace.Start();
        Descriptors.Start();
        RoundTrip();
        Flags();
        KernelTarget();
        UserFaults();
        BadSelectors();
        BadAddress();
    }

    private static void RoundTrip()
    {
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        frame.Rax = 0xAAAA;
        frame.Rcx = 0xCCCC;
        frame.R11 = 0xBBBB;
        Report.Same(Traps.Leave(ref frame), 3, "int3 of a user program"u8);
        ref readonly TrapFrame trap = ref Traps.Last;
        Report.Same(trap.Rip, UserSpace.CodeAddress + 1, "rip"u8);
        Report.Same(trap.Cs & 0xFFFF, 0xE033, "cs"u8);
        Report.Same(trap.Ss, 0xE02B, "ss"u8);
        Report.Same(trap.Rsp, UserSpace.StackEnd, "rsp"u8);
        Report.Same(trap.Rax, 0xAAAA, "rax"u8);
        Report.Same(trap.Rcx, 0xCCCC, "rcx"u8);
        Report.Same(trap.R11, 0xBBBB, "r11"u8);
        Report.Same(trap.Rflags, 0x202, "rflags"u8);
        Report.Same(Traps.StackInHandler + (ulong)sizeof(TrapFrame), (ulong)Native.TrapStackEnd, "the kernel's stack"u8);
        frame.Flags = IretContext.InSyscall;
        Report.Same(Traps.Leave(ref frame), 3, "the short way out"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 1, "rip by the short way"u8);
        Report.Same(Traps.Last.Rcx, UserSpace.CodeAddress, "rcx by the short way"u8);
        Report.Same(Traps.Last.R11 & 0xFFFF, 0x202, "r11 by the short way"u8);
        frame.Flags = 0;
        frame.Cs = 0x3;
        Report.Same(Traps.Leave(ref frame), 13, "a null code selector"u8);
    }

    private static void Flags()
    {
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        frame.Rflags = 0x0024_0CD5 | 0x202 | 0x3000 | 0x4000;
        Report.Same(Traps.Leave(ref frame), 3, "int3 with flags"u8);
        Report.Same(Traps.Last.Rflags, 0x0024_4CD5 | 0x202, "ID, AC, NT, DF, OF, SF and the rest survive, IOPL does not"u8);
        frame.Rflags = 0x302;
        UserSpace.Load([0x90, 0x90, 0xCC]);
        Report.Same(Traps.Leave(ref frame), 1, "iret with TF"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 1, "one instruction is executed"u8);
        UserSpace.Load([0xCC]);
        frame.Rflags = 0x2;
        Traps.Leave(ref frame);
        Report.Check(Traps.Last.EventsWereMasked, "IF clear masks events"u8);
        Report.Same(Traps.Last.Rflags & 0x200, 0, "IF clear in the frame"u8);
        frame.Rflags = 0x202;
        Traps.Leave(ref frame);
        Report.Check(!Traps.Last.EventsWereMasked, "IF set opens events"u8);
        Events.Mask = 1;
    }

    private static void KernelTarget()
    {
        byte* code = Traps.Code([0xCC]);
        ulong* stack = (ulong*)(Memory.TakePage() + 4096);
        IretContext frame = new() { Rip = (ulong)code, Cs = KernelCode, Rflags = 0x2, Rsp = (ulong)stack, Ss = 0xE02B, Rax = 7 };
        Report.Same(Traps.Leave(ref frame), 3, "iret to the kernel"u8);
        Report.Same(Traps.Last.Rip, (ulong)code + 1, "rip in the kernel"u8);
        Report.Same(Traps.Last.Cs & 0xFFFF, KernelCode, "cs in the kernel"u8);
        Report.Same(Traps.Last.Rsp, (ulong)stack, "rsp in the kernel"u8);
        Report.Same(Traps.Last.Rax, 7, "rax in the kernel"u8);
        Descriptors.Write(2, Descriptors.Code64);
        frame.Cs = 0x10;
        Report.Same(Traps.Leave(ref frame), 3, "iret to the guest's own code descriptor"u8);
        Report.Same(Traps.Last.Cs & 0xFFFF, 0x10, "cs with the guest's own code descriptor"u8);
        Descriptors.Write(2, 0);
    }

    private static void UserFaults()
    {
        Report.Same(UserSpace.Run([0x8B, 0x04, 0x25, 0x00, 0x20, 0x40, 0x00]), 14, "a user program reads nothing"u8);
        Report.Same(Traps.Last.ErrorCode, 4, "error code of a user's read"u8);
        Report.Same(Traps.Cr2, 0x40_2000, "cr2 of a user's read"u8);
        Report.Same(UserSpace.Run([0x89, 0x04, 0x25, 0x00, 0x20, 0x40, 0x00]), 14, "a user program writes nothing"u8);
        Report.Same(Traps.Last.ErrorCode, 6, "error code of a user's write"u8);
        // mov rax, kernel address; mov eax, [rax]
        Report.Same(UserSpace.Run([0x48, 0xC7, 0xC0, 0x00, 0x00, 0x10, 0x80, 0x8B, 0x00]), 14, "a user program reads the kernel"u8);
        Report.Same(Traps.Last.ErrorCode & ~1UL, 4, "error code of reading the kernel"u8);
        Report.Same(UserSpace.Run([0xF4]), 13, "a user program halts"u8);
        Report.Same(UserSpace.Run([0x0F, 0x20, 0xC0]), 13, "a user program reads cr0"u8);
        Report.Same(UserSpace.Run([0x31, 0xC9, 0x0F, 0x32]), 13, "a user program reads an MSR"u8);
        Report.Same(UserSpace.Run([0xFA]), 13, "a user program closes interrupts"u8);
        Report.Same(UserSpace.Run([0xE4, 0x80]), 13, "a user program reads a port"u8);
        Report.Same(UserSpace.Run([0x0F, 0x0B]), 6, "a user program's ud2"u8);
    }

    private static void Bad(ulong cs, ulong ss, ulong vector, ulong errorCode, ReadOnlySpan<byte> what)
    {
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        frame.Cs = cs;
        frame.Ss = ss;
        if (Report.Same(Traps.Leave(ref frame), vector, what))
        {
            Report.Same(Traps.Last.ErrorCode, errorCode, what);
            Report.Same(Traps.Last.Rip, UserSpace.CodeAddress, what);
            Report.Same(Traps.Last.Rsp, UserSpace.StackEnd, what);
            Report.Same(Traps.Last.Cs & 0xFFFF, cs, what);
        }
    }

    private static void BadSelectors()
    {
        Descriptors.Write(4, Descriptors.Data);
        Descriptors.Write(5, Descriptors.Code64Absent);
        Descriptors.Write(6, Descriptors.DataAbsent);
        Bad(0x1B, 0xE02B, 13, 0x18, "an empty code descriptor"u8);
        Bad(0x23, 0xE02B, 13, 0x20, "data as code"u8);
        Bad(0x2B, 0xE02B, 11, 0x28, "code that is not present"u8);
        // QEMU's translator reports #NP where a processor reports #SS.
        Bad(0xE033, 0x33, Machine.IsTranslator ? 11UL : 12, 0x30, "a stack that is not present"u8);
        Bad(0xE033, 0xE033, 13, 0xE030, "code as a stack"u8);
        Bad(0xE033, 0x1003, 13, 0x1000, "an empty stack descriptor"u8);
        Bad(0xFFFF, 0xE02B, 13, 0xFFFC, "a code selector of the missing local table"u8);
        Good();
    }

    private static void Good()
    {
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        Report.Same(Traps.Leave(ref frame), 3, "good selectors still work"u8);
    }

    private static void BadAddress()
    {
        UserSpace.Load([0xCC]);
        IretContext frame = UserSpace.Frame();
        frame.Rip = 0x8000_0000_0000;
        Report.Same(Traps.Leave(ref frame), 13, "iret to an address that is not canonical"u8);
        frame.Rip = 0x1234_5000;
        Report.Same(Traps.Leave(ref frame), 14, "iret to an address without a page"u8);
        Report.Same(Traps.Cr2, 0x1234_5000, "its cr2"u8);
        Report.Same(Traps.Last.ErrorCode & ~0x10UL, 4, "its error code"u8);
    }
}
