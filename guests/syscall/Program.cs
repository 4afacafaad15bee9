// syscall: the frame of a user program's SYSCALL, and SYSCALL at the very end of the lower half.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class SyscallProgram
{
    private const int LastBytes = 4096 - 2;

    [RuntimeExport("guest_syscall")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        UserSpace.Start();
        NoCallback();
        Report.Same((ulong)Traps.Callbacks(), 0, "registering the callbacks"u8);
        Frame();
        Mask();
        EndOfLowerHalf();
        Kernel();
    }

    private static void NoCallback()
    {
        Report.Same(UserSpace.Run([0x90, 0x0F, 0x05]), 6, "SYSCALL without a callback is #UD"u8);
        Report.Same(Traps.Last.Rip, UserSpace.CodeAddress + 1, "its address"u8);
    }

    private static void Frame()
    {
        UserSpace.Load([0x0F, 0x05]);
        IretContext frame = UserSpace.Frame();
        frame.Rflags = 0x202 | 0x400 | 0x8C5;
        frame.Rax = 0x1234;
        Report.Same(Traps.Leave(ref frame), Traps.SyscallVector, "SYSCALL of a user program"u8);
        ref readonly TrapFrame trap = ref Traps.Last;
        Report.Same(trap.Rip, UserSpace.CodeAddress + 2, "rip"u8);
        Report.Same(trap.Rcx, UserSpace.CodeAddress + 2, "rcx"u8);
        Report.Same(trap.R11 & 0xFFFF, 0xEC7, "r11"u8);
        Report.Same(trap.Cs & 0xFFFF, 0xE033, "cs"u8);
        Report.Same(trap.Ss, 0xE02B, "ss"u8);
        Report.Same(trap.Rsp, UserSpace.StackEnd, "rsp"u8);
        Report.Same(trap.Rax, 0x1234, "rax"u8);
        Report.Same(trap.Rflags & 0x8C5, 0x8C5, "rflags"u8);
        Report.Same(Traps.StackInHandler + (ulong)sizeof(TrapFrame), (ulong)Native.TrapStackEnd, "the kernel's stack"u8);
    }

    private static void Mask()
    {
        UserSpace.Load([0x0F, 0x05]);
        IretContext frame = UserSpace.Frame();
        Traps.Leave(ref frame);
        Report.Check(!Traps.Last.EventsWereMasked, "the frame keeps the open mask"u8);
        Report.Same(Traps.MaskInHandler, 1, "the callback masks events when it asked for it"u8);
        Xen.RegisterCallback(CallbackRegister.Syscall, Native.SyscallStub, false);
        Traps.Leave(ref frame);
        Report.Same(Traps.MaskInHandler, 0, "the callback leaves events open when it did not ask"u8);
        Events.Mask = 1;
    }

    private static void EndOfLowerHalf()
    {
        UserSpace.High[LastBytes] = 0x0F;
        UserSpace.High[LastBytes + 1] = 0x05;
        IretContext frame = UserSpace.Frame();
        frame.Rip = UserSpace.HighAddress + LastBytes;
        Report.Same(Traps.Leave(ref frame), Traps.SyscallVector, "SYSCALL at 0x7ffffffffffe of a user program"u8);
        Report.Same(Traps.Last.Rip, 0x8000_0000_0000, "its rip"u8);
        frame.Flags = IretContext.InSyscall;
        frame.Rip = 0x8000_0000_0000;
        Report.Same(Traps.Leave(ref frame), 13, "the short way out to an address that is not canonical"u8);
        Report.Same(Traps.Last.Rip, 0x8000_0000_0000, "its rip in the fault"u8);
        Report.Same(Traps.Last.Cs & 3, 3, "its mode"u8);
    }

    private static void Kernel()
    {
        byte* page = Memory.TakePage();
        if (!Report.Same((ulong)PageTables.AddLive(UserSpace.HighAddress, Memory.Machine(page) | PageTables.KernelWritable), 0, "a mapping at the end of the lower half"u8))
        {
            return;
        }

        page[LastBytes] = 0x0F;
        page[LastBytes + 1] = 0x05;
        ProbeRegisters registers = new() { Rax = (ulong)HypercallNumber.XenVersion };
        ulong vector = Traps.Try((void*)(UserSpace.HighAddress + LastBytes), ref registers);
        Report.Same(vector, 13, "the kernel's hypercall at 0x7ffffffffffe"u8);
        Report.Same(Traps.Last.Rip, 0x8000_0000_0000, "its rip in the fault"u8);
        Report.Same(Traps.Last.Rax, 0x4_0011, "its result"u8);
        Report.Same(Traps.Last.Ring, 0, "its mode in the fault"u8);
    }
}
