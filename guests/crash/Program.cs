// crash: what ends a domain. Each is a guest of its own; the hypervisor reports why, and goes on.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class CrashProgram
{
    private const ulong Nowhere = 0x1234_5678_9000;
    private const ulong HypervisorEnd = 0xFFFF_8800_0000_0000;

    /// <summary>An exception before there is a trap table.</summary>
    [RuntimeExport("guest_crash_no_handler")]
    private static void NoHandler()
    {
        Report.Dies();
        Traps.Try([0x0F, 0x0B]);
    }

    /// <summary>A jump to an address without a page, before there is a trap table.</summary>
    [RuntimeExport("guest_crash_jump")]
    private static void Jump()
    {
        Report.Dies();
        Native.Jump(Nowhere, 0);
    }

    /// <summary>A user program's exception, and a kernel stack that is not there.</summary>
    [RuntimeExport("guest_crash_stack")]
    private static void Stack()
    {
        Traps.Start();
        UserSpace.Start();
        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, Nowhere);
        Report.Dies();
        UserSpace.Run([0xCC]);
    }

    /// <summary>A user program's system call, and a kernel stack that is not there.</summary>
    [RuntimeExport("guest_crash_syscall_stack")]
    private static void SyscallStack()
    {
        Traps.Start();
        Traps.Callbacks();
        UserSpace.Start();
        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, Nowhere);
        Report.Dies();
        UserSpace.Run([0x0F, 0x05]);
    }

    /// <summary>A user program's page fault, and a kernel stack that is not there.</summary>
    [RuntimeExport("guest_crash_fault_stack")]
    private static void FaultStack()
    {
        Traps.Start();
        UserSpace.Start();
        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, Nowhere);
        Report.Dies();
        UserSpace.Run([0x8B, 0x04, 0x25, 0x00, 0x20, 0x40, 0x00]);
    }

    /// <summary>A frame that begins in the guest's memory and would end in the hypervisor's.</summary>
    [RuntimeExport("guest_crash_stack_wrap")]
    private static void StackWrap()
    {
        Traps.Start();
        UserSpace.Start();
        Report.Result(PageTables.AddLive(HypervisorEnd, Memory.Machine(Memory.TakePage()) | PageTables.KernelWritable), XenError.None, "the first page behind the hypervisor"u8);
        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, HypervisorEnd + 32);
        Report.Dies();
        UserSpace.Run([0xCC]);
    }

    /// <summary>A kernel stack in the hypervisor's memory.</summary>
    [RuntimeExport("guest_crash_stack_theft")]
    private static void StackTheft()
    {
        Traps.Start();
        UserSpace.Start();
        Xen.Call(HypercallNumber.StackSwitch, Selectors.FlatData, 0xFFFF_8300_0010_0000);
        Report.Dies();
        UserSpace.Run([0xCC]);
    }

    /// <summary>The iret hypercall with a stack pointer that is not there.</summary>
    [RuntimeExport("guest_crash_iret_frame")]
    private static void IretFrame()
    {
        Traps.Start();
        Report.Dies();
        Native.Leave((IretContext*)Nowhere);
    }

    /// <summary>The same in the kernel's half of the addresses.</summary>
    [RuntimeExport("guest_crash_iret_high")]
    private static void IretHigh()
    {
        Traps.Start();
        Report.Dies();
        Native.Leave((IretContext*)0xFFFF_9000_0000_0000);
    }

    /// <summary>The iret hypercall with a frame of which the second half is not there.</summary>
    [RuntimeExport("guest_crash_iret_end")]
    private static void IretEnd()
    {
        Traps.Start();
        IretContext* last = (IretContext*)(Memory.TakePage() + 4096 - (sizeof(IretContext) - 8));
        byte* behind = Memory.TakePage();
        Report.Result(Xen.UpdateVaMapping((ulong)behind, 0), XenError.None, "nothing behind the frame"u8);
        Report.Dies();
        Native.Leave(last);
    }

    /// <summary>The iret hypercall with a stack pointer into the hypervisor.</summary>
    [RuntimeExport("guest_crash_iret_theft")]
    private static void IretTheft()
    {
        Traps.Start();
        Report.Dies();
        Native.Leave((IretContext*)0xFFFF_8300_0010_0000);
    }

    /// <summary>To user mode without a user's page tables.</summary>
    [RuntimeExport("guest_crash_no_user_root")]
    private static void NoUserRoot()
    {
        Traps.Start();
        IretContext frame = UserSpace.Frame();
        Report.Dies();
        Native.Leave(&frame);
    }

    /// <summary>An event, and nobody registered to take it.</summary>
    [RuntimeExport("guest_crash_no_callback")]
    private static void NoCallback()
    {
        Events.Start();
        Traps.Start();
        uint port = (uint)Events.BindIpi(0);
        Events.Unmask(port);
        Events.Send(port);
        Report.Dies();
        Events.Open();
    }

    /// <summary>The page-fault handler itself is not there: fault upon fault until the stack ends.</summary>
    [RuntimeExport("guest_crash_fault_loop")]
    private static void FaultLoop()
    {
        Xen.SetTrap(14, Nowhere);
        Report.Dies();
        ProbeRegisters registers = new() { Rcx = Nowhere };
        Traps.Try([0x8B, 0x01], ref registers);
    }

    /// <summary>The handler's address is the hypervisor's own code.</summary>
    [RuntimeExport("guest_crash_handler_theft")]
    private static void HandlerTheft()
    {
        Xen.SetTrap(14, 0xFFFF_8300_0010_0000);
        Xen.SetTrap(6, 0xFFFF_8300_0010_0000);
        Report.Dies();
        Traps.Try([0x0F, 0x0B]);
    }

    /// <summary>An event, whose callback is the hypervisor's own code.</summary>
    [RuntimeExport("guest_crash_callback_theft")]
    private static void CallbackTheft()
    {
        Events.Start();
        Report.Result(Xen.RegisterCallback(CallbackRegister.Event, (byte*)0xFFFF_8300_0010_0000, true), XenError.None, "any canonical address can be a callback"u8);
        uint port = (uint)Events.BindIpi(0);
        Events.Unmask(port);
        Events.Send(port);
        Report.Dies();
        Events.Open();
    }
}
