// attack_privilege: the hypervisor's privilege, its memory, the machine's devices, by what a processor offers to kernels.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class PrivilegeAttack
{
    private const ulong Hypervisor = 0xFFFF_8300_0000_0000;
    private const ulong FirstSlot = 0xFFFF_8080_0000_0000;
    private const ulong EndSlot = 0xFFFF_8800_0000_0000;
    private const ulong ImageStart = 0xFFFF_82D0_8000_0000;
    private const ulong LargePage = 0x20_0000;

    [RuntimeExport("guest_attack_privilege")]
    private static void Main()
    {
        Neighbour.Start();
        UserSpace.Start();
        Descriptors.Start();
        Selectors();
        Addresses();
        Instructions();
        Interrupts();
        Steps();
        Watched();
        Registers();
        Ports();
        Read();
        Neighbour.Finish();
    }

    /// <summary>Code, stack and data selectors of the hypervisor and of its task, with each privilege: the guest stays at privilege 3.</summary>
    private static void Selectors()
    {
        byte* stack = Memory.TakePage() + Memory.PageBytes;
        for (ulong selector = 0xE000; selector < 0xE100; selector++)
        {
            // mov eax, cs; mov ecx, ss; int3
            byte* code = Traps.Code([0x8C, 0xC8, 0x8C, 0xD1, 0xCC]);
            IretContext frame = new() { Rip = (ulong)code, Cs = selector, Rflags = 2, Rsp = (ulong)stack, Ss = 0xE02B };

            // 32-bit code cuts the kernel's stack pointer off, and a fault is its end; a program's does it no harm.
            bool isCode32 = (selector & ~7UL) == 0xE020;
            if (!isCode32)
            {
                Stays(Traps.Leave(ref frame), selector);
            }

            frame.Cs = 0xE033;
            frame.Ss = selector;
            Stays(Traps.Leave(ref frame), selector);
            UserSpace.Load([0x8C, 0xC8, 0x8C, 0xD1, 0xCC]);
            frame = UserSpace.Frame();
            if ((selector & 3) == 3)
            {
                // With other privileges it is a return to the kernel, whose memory the program's is not.
                frame.Cs = selector;
                Stays(Traps.Leave(ref frame), selector);
                frame = UserSpace.Frame();
            }

            frame.Ss = selector;
            Stays(Traps.Leave(ref frame), selector);
            Segment(selector);
            if (!isCode32)
            {
                Far(selector);
            }
        }
    }

    private static void Stays(ulong vector, ulong selector)
    {
        if (vector == 3 && !Report.Check((Traps.Last.Rax & Traps.Last.Rcx & 3) == 3, "privilege by a selector"u8))
        {
            Report.Note("the selector was"u8, selector);
        }
    }

    /// <summary>mov ds, eax; mov eax, [the hypervisor's memory]; mov ds, ecx</summary>
    private static void Segment(ulong selector)
    {
        ProbeRegisters registers = new() { Rax = selector, Rcx = 0xE02B, Rdx = Hypervisor };
        Report.Check(Traps.Try([0x8E, 0xD8, 0x3E, 0x8B, 0x02], ref registers) is 13 or 14 or 11, "the hypervisor's memory by a data selector"u8);
        registers = new ProbeRegisters { Rax = 0xE02B };
        Traps.Try([0x8E, 0xD8], ref registers);
    }

    /// <summary>A far jump to an address of the guest's, which would run at the selector's privilege; and a far call.</summary>
    private static void Far(ulong selector)
    {
        // rex.w ljmp [rcx], its target being: mov eax, cs; ret
        byte* target = stackalloc byte[16];
        byte* code = Traps.Code([0x48, 0xFF, 0x29, 0x8C, 0xC8]);
        *(ulong*)target = (ulong)code + 3;
        *(ulong*)(target + 8) = selector;
        ProbeRegisters registers = new() { Rcx = (ulong)target };
        if (Traps.Try(code, ref registers) == Traps.None)
        {
            Report.Same(registers.Rax & 3, 3, "privilege by a far jump"u8);
        }
    }

    /// <summary>Addresses that are none, and the hypervisor's, where the processor will go or look.</summary>
    private static void Addresses()
    {
        ReadOnlySpan<ulong> addresses = [0x8000_0000_0000, 0xFFFF_7FFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF, Hypervisor, ImageStart];
        byte* stack = Memory.TakePage() + Memory.PageBytes;
        for (int i = 0; i < addresses.Length; i++)
        {
            ulong address = addresses[i];
            IretContext frame = new() { Rip = address, Cs = 0xE033, Rflags = 2, Rsp = (ulong)stack, Ss = 0xE02B };
            Report.Check(Traps.Leave(ref frame) is 13 or 14, "iret to such an address"u8);
            frame = UserSpace.Frame();
            frame.Rip = address;
            Report.Check(Traps.Leave(ref frame) is 13 or 14, "a program's start at such an address"u8);
            frame.Flags = IretContext.InSyscall;
            Report.Check(Traps.Leave(ref frame) is 13 or 14, "a program's start by the short way"u8);
            UserSpace.Load([0xCC]);
            frame = UserSpace.Frame();
            frame.Rsp = address;
            Report.Check(Traps.Leave(ref frame) is 3 or 12 or 13, "a program's stack there"u8);
            for (ulong number = 0; number < 4; number++)
            {
                if (i < 4)
                {
                    Report.Check(Xen.Call(HypercallNumber.SetDebugReg, number, address) < 0 || address == 0x7FFF_FFFF_FFFF_FFFF, "a breakpoint there"u8);
                    Report.Check(number == 3 || Xen.Call(HypercallNumber.SetSegmentBase, number, address) < 0, "a segment there"u8);
                }
                else
                {
                    Report.Check(Xen.Call(HypercallNumber.SetDebugReg, number, address) < 0, "a breakpoint in the hypervisor"u8);
                }
            }
        }

        // A segment that begins in the hypervisor gives no access: mov rax, fs:[0] and gs:[0].
        Xen.Call(HypercallNumber.SetSegmentBase, 0, Hypervisor);
        Xen.Call(HypercallNumber.SetSegmentBase, 2, Hypervisor);
        Report.Same(Traps.Try([0x64, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0]), 14, "the hypervisor's memory by fs"u8);
        Report.Same(Traps.Try([0x65, 0x48, 0x8B, 0x04, 0x25, 0, 0, 0, 0]), 14, "the hypervisor's memory by gs"u8);
        Xen.Call(HypercallNumber.SetSegmentBase, 0, 0);
        Xen.Call(HypercallNumber.SetSegmentBase, 2, 0);
    }

    private static void Instructions()
    {
        Denied([0xF4], "hlt"u8);
        Denied([0x0F, 0x01, 0x10], "lgdt"u8);
        Denied([0x0F, 0x01, 0x18], "lidt"u8);
        Denied([0x0F, 0x00, 0xD0], "lldt"u8);
        Denied([0x0F, 0x00, 0xD8], "ltr"u8);
        Denied([0x0F, 0x01, 0xF8], "swapgs"u8);
        Denied([0x48, 0x0F, 0x07], "sysret"u8);
        Denied([0x48, 0x0F, 0x35], "sysexit"u8);
        Denied([0x0F, 0xAA], "rsm"u8);
        Denied([0x0F, 0x01, 0xD8], "vmrun"u8);
        Denied([0x0F, 0x01, 0xDD], "clgi"u8);
        Denied([0x0F, 0x01, 0xC1], "vmcall"u8);
        Denied([0xF3, 0x0F, 0xC7, 0x31], "vmxon"u8);
        Denied([0x0F, 0x01, 0xC8], "monitor"u8);
        Denied([0x0F, 0x01, 0x01], "sgdt to nowhere"u8);
        Denied([0x66, 0x0F, 0x38, 0x82, 0x01], "invpcid"u8);
        Denied([0x44, 0x0F, 0x22, 0xC0], "mov cr8"u8);
        Denied([0x0F, 0xC7, 0x29], "xsaves"u8);
        ProbeRegisters registers = default;
        Report.Check(Traps.Try([0x0F, 0x01, 0xD1], ref registers) != Traps.None, "xsetbv of nothing"u8);
        registers = new ProbeRegisters { Rax = ~0UL, Rdx = ~0UL };
        Report.Check(Traps.Try([0x0F, 0x01, 0xD1], ref registers) != Traps.None, "xsetbv of everything"u8);
        registers = new ProbeRegisters { Rax = ~0UL };
        Traps.Try([0x0F, 0x22, 0xE0], ref registers);
        Report.Check(Traps.Try([0x0F, 0x20, 0xE0], ref registers) == Traps.None && (registers.Rax & 0x30_2000) == 0, "cr4 with everything"u8);
    }

    private static void Denied(ReadOnlySpan<byte> instructions, ReadOnlySpan<byte> what)
    {
        ProbeRegisters registers = new() { Rcx = 8, Rax = 8 };
        Report.Check(Traps.Try(instructions, ref registers) is 6 or 13 or 14, what);
    }

    /// <summary>int n for every n: those of the hypervisor's own interrupts too come back as the guest's.</summary>
    private static void Interrupts()
    {
        for (int vector = 0; vector < 256; vector++)
        {
            if (vector == 0x82)
            {
                continue;
            }

            Xen.SetTrap((byte)vector, Traps.Stub(vector), 3);
        }

        for (int vector = 32; vector < 256; vector++)
        {
            byte* code = Traps.Code([0xCD, 0xCC, 0x90]);
            code[1] = (byte)vector;
            ProbeRegisters registers = new() { Rax = (ulong)HypercallNumber.XenVersion };
            ulong came = Traps.Try(code, ref registers);
            Report.Check(came == (ulong)vector || came == 13 || vector is 0x80 or 0x82, "a software interrupt"u8);
        }
    }

    /// <summary>
    /// Every way into the hypervisor with flags that would be wrong there: single steps, nested tasks, the wrong direction, alignment checks;
    /// also directly behind a load of the stack's selector, which holds debug exceptions back until the hypervisor's first instruction.
    /// </summary>
    private static void Steps()
    {
        const uint SingleStep = 0x100;
        ReadOnlySpan<uint> flags = [SingleStep, 0x4000, 0x400, 0x4_0000, 0x1_0000, 0x20_0000, 0x4_4400, 0x4_4500, 0x3000, 0x4100];

        // syscall; int3; int 0x20; int 0x82; sysenter; ud2; a page fault; a fault of the stack; what is emulated: cpuid by its prefix, hlt
        ReadOnlySpan<ulong> entries = [0x050F, 0xCC, 0x20CD, 0x82CD, 0x340F, 0x0B0F, 0x018B, 0x008B_4836, 0xA2_0F6E_6578_0B0F, 0xF4];
        Report.Result(Traps.Callbacks(), XenError.None, "callbacks"u8);
        for (int i = 0; i < flags.Length; i++)
        {
            for (int entry = 0; entry < entries.Length; entry++)
            {
                Step(flags[i], entries[entry], false);
                Step(flags[i], entries[entry], true);
            }

            UserSpace.Load([0x9C, 0x81, 0x0C, 0x24, 0, 0, 0, 0, 0x9D, 0x0F, 0x05, 0xCC]);
            *(uint*)(UserSpace.Code + 4) = flags[i];
            IretContext frame = UserSpace.Frame();
            Report.Check(Traps.Leave(ref frame) is 1 or 3 or 6 or 17 or Traps.SyscallVector, "a program's system call with such flags"u8);
            frame = UserSpace.Frame();
            frame.Rflags |= flags[i];
            Report.Check(Traps.Leave(ref frame) is 1 or 3 or 6 or 17 or Traps.SyscallVector, "a program that begins with such flags"u8);
        }

        Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion), 0x4_0011, "hypercalls still work"u8);
    }

    /// <summary>mov edx, ss; pushfq; or [rsp], flags; popfq; (mov ss, edx;) the entry; pushfq; and [rsp], 0; popfq.</summary>
    private static void Step(uint flags, ulong entry, bool isShadowed)
    {
        byte* code = Traps.Code(
            [0x8C, 0xD2, 0x9C, 0x81, 0x0C, 0x24, 0, 0, 0, 0, 0x9D, 0x8E, 0xD2, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x9C, 0x83, 0x24, 0x24, 0, 0x9D]);
        *(uint*)(code + 6) = flags;
        byte* at = code + (isShadowed ? 13 : 11);
        if (!isShadowed)
        {
            code[12] = 0x90;
        }

        for (; entry != 0; entry >>= 8)
        {
            *at++ = (byte)entry;
        }

        ProbeRegisters registers = new() { Rax = (ulong)HypercallNumber.XenVersion, Rcx = 0x1000 };
        ulong came = Traps.Try(code, ref registers);
        Report.Check(came is Traps.None or < 256, "a way into the hypervisor with such flags"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion), 0x4_0011, "hypercalls still work"u8);
    }

    /// <summary>Breakpoints on memory that the hypervisor reads and writes for the guest: it is not stopped by them.</summary>
    private static void Watched()
    {
        const ulong OnAccess = 0x000F_0001;
        byte* page = Memory.TakePage();
        MmuUpdate* update = (MmuUpdate*)page;
        *update = new MmuUpdate { Pointer = Memory.Machine(page) | MmuUpdate.MachineToPhysicalUpdate, Value = 0x77 };
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 0, (ulong)page), XenError.None, "a breakpoint"u8);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, OnAccess), XenError.None, "it is on"u8);
        ProbeRegisters read = new() { Rax = (ulong)HypercallNumber.MmuUpdate, Rdi = (ulong)page, Rsi = 1, R10 = DomainIds.Self };
        ulong reads = Traps.Try([0x0F, 0x05], ref read);
        ProbeRegisters write = new() { Rax = (ulong)HypercallNumber.XenVersion, Rdi = 1, Rsi = (ulong)page };
        ulong writes = Traps.Try([0x0F, 0x05], ref write);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, 0), XenError.None, "it is off"u8);
        Report.Check(reads is Traps.None or 1 && read.Rax == 0, "the hypervisor reads what is watched"u8);
        Report.Check(writes is Traps.None or 1 && page[0] == '.', "the hypervisor writes what is watched"u8);
        Report.Same(*(ulong*)(0xFFFF_8000_0000_0000 + (Memory.Frame(page) * 8)), 0x77, "what it read"u8);
    }

    /// <summary>Model-specific registers that the hypervisor lives by: neither written nor seen.</summary>
    private static void Registers()
    {
        ReadOnlySpan<uint> numbers =
        [
            0x1B, 0x174, 0x175, 0x176, 0x1D9, 0x277, 0x2FF, 0x200, 0xC000_0080, 0xC000_0081, 0xC000_0082, 0xC000_0083, 0xC000_0084,
            0xC000_0103, 0xC001_0010, 0xC001_001A, 0xC001_0117, 0x10, 0x3A, 0x480, 0x48, 0x49, 0x79, 0x8B, 0xDA0, 0x830, 0x80F,
        ];
        for (int i = 0; i < numbers.Length; i++)
        {
            ProbeRegisters registers = new() { Rcx = numbers[i], Rax = 0x1000, Rdx = 0xFFFF_8300 };
            Traps.Try([0x0F, 0x30], ref registers);
            registers = new ProbeRegisters { Rcx = numbers[i] };
            if (Traps.Try([0x0F, 0x32], ref registers) == Traps.None)
            {
                ulong value = (uint)registers.Rax | (registers.Rdx << 32);
                Report.Check(value is < 0xFFFF_8000_0000_0000 or >= EndSlot, "an address of the hypervisor in a register"u8);
            }

            Report.Same((ulong)Xen.Call(HypercallNumber.XenVersion), 0x4_0011, "hypercalls still work"u8);
        }
    }

    /// <summary>With the I/O privilege level that a guest may give itself, it reaches no device.</summary>
    private static void Ports()
    {
        uint level = 3;
        Xen.Call(HypercallNumber.PhysdevOp, 6, (ulong)(&level));
        Out(0xCF8, 0x8000_0000);
        Report.Check(In(0xCFC) != 0x1237_8086 && (In(0xCFC) & 0xFFFF) != 0x8086, "the host bridge"u8);
        Report.Check((In(0x71) & 0xFF) == 0xFF, "the clock"u8);
        Report.Check((In(0x3FD) & 0xFF) == 0xFF, "the serial port"u8);
        Report.Check((In(0x21) & 0xFF) == 0xFF, "the interrupt controller"u8);
        Report.Check((In(0x608) & 0xFF_FFFF) == 0xFF_FFFF, "the power timer"u8);

        // Each of these would stop or reset the machine, or stop the hypervisor's clock.
        Out(0x604, 0x2000);
        Out(0xCF9, 6);
        Out(0x64, 0xFE);
        Out(0x92, 1);
        Out(0x43, 0x30);
        Out(0x3F8, 'X');
        byte* bitmap = Memory.TakePage();
        ulong* argument = stackalloc ulong[2];
        argument[0] = (ulong)bitmap;
        argument[1] = 0x1000;
        Xen.Call(HypercallNumber.PhysdevOp, 7, (ulong)argument);
        Report.Check(UserSpace.Run([0x66, 0xBA, 0xF9, 0x0C, 0xB0, 6, 0xEE, 0xCC]) is 3 or 13, "a user program resets the machine"u8);
        level = 0;
        Xen.Call(HypercallNumber.PhysdevOp, 6, (ulong)(&level));
        for (uint operation = 0; operation < 64; operation++)
        {
            if (operation is not (5 or 6 or 7 or 12))
            {
                ulong* zero = stackalloc ulong[16];
                long result = Xen.Call(HypercallNumber.PhysdevOp, operation, (ulong)zero);
                Report.Check(result < 0 || operation is 4 or 8 or 9 or 21 or 28, "a physdev_op"u8);
            }
        }
    }

    private static uint In(ushort port)
    {
        ProbeRegisters registers = new() { Rdx = port, Rax = 0xFFFF_FFFF };
        return Traps.Try([0xED], ref registers) == Traps.None ? (uint)registers.Rax : uint.MaxValue;
    }

    private static void Out(ushort port, uint value)
    {
        ProbeRegisters registers = new() { Rdx = port, Rax = value };
        Traps.Try([0xEF], ref registers);
        Traps.Try([0xEE], ref registers);
    }

    /// <summary>Reads, writes and runs nothing of the hypervisor's part of the address space; the list of places may be read, not written.</summary>
    private static void Read()
    {
        for (ulong address = FirstSlot; address < EndSlot; address += 1UL << 30)
        {
            Touch(address);
        }

        for (ulong address = ImageStart; address < ImageStart + (1UL << 30); address += LargePage)
        {
            Touch(address);
        }

        for (ulong page = 0; page < 512; page++)
        {
            Touch(ImageStart + LargePage + (page << 12));
            Touch(Hypervisor + (page << 12));
        }

        ProbeRegisters registers = new() { Rcx = 0xFFFF_8000_0000_0000 };
        Report.Same(Traps.Try([0x48, 0x89, 0x01], ref registers), 14, "a write to the list of places"u8);
        Report.Same(Traps.Try([0xFF, 0xD1], ref registers), 14, "a call into the list of places"u8);
    }

    private static void Touch(ulong address)
    {
        ProbeRegisters registers = new() { Rcx = address };
        if (!Report.Same(Traps.Try([0x8A, 0x01], ref registers), 14, "a read of the hypervisor's memory"u8)
            | !Report.Same(Traps.Try([0x88, 0x01], ref registers), 14, "a write of the hypervisor's memory"u8)
            | !Report.Same(Traps.Try([0xFF, 0xD1], ref registers), 14, "a call into the hypervisor"u8))
        {
            Report.Note("the address was"u8, address);
        }
    }
}
