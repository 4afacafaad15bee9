// control: control registers, debug registers, and the other instructions that a kernel may execute although it is not at privilege 0.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class ControlProgram
{
    private const ulong TaskSwitched = 8;

    [RuntimeExport("guest_control")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Cr0();
        Cr2();
        Cr3();
        Cr4();
        DebugRegisters();
        Breakpoints();
        Others();
    }

    private static ulong Get(ReadOnlySpan<byte> instructions, ReadOnlySpan<byte> what)
    {
        ProbeRegisters registers = default;
        Report.Same(Traps.Try(instructions, ref registers), Traps.None, what);
        return registers.Rax;
    }

    private static ulong Set(ReadOnlySpan<byte> instructions, ulong value)
    {
        ProbeRegisters registers = new() { Rax = value };
        return Traps.Try(instructions, ref registers);
    }

    private static void Cr0()
    {
        ReadOnlySpan<byte> read = [0x0F, 0x20, 0xC0];
        ReadOnlySpan<byte> write = [0x0F, 0x22, 0xC0];
        ulong cr0 = Get(read, "read of cr0"u8);
        Report.Same(cr0 & 0x8001_0021, 0x8001_0021, "PG, WP, NE and PE"u8);
        Report.Same(cr0 & TaskSwitched, 0, "TS is clear"u8);
        Report.Same(Set(write, cr0), Traps.None, "the same cr0"u8);
        Report.Same(Set(write, cr0 ^ 0x1_0000), 13, "cr0 without WP"u8);
        Report.Same(Set(write, cr0 ^ 0x8000_0000), 13, "cr0 without PG"u8);
        Report.Same(Set(write, cr0 ^ 0x4000_0000), 13, "cr0 with CD"u8);
        Report.Same(Get(read, "read of cr0"u8), cr0, "cr0 is what it was"u8);

        // mov cr0, rax; mov rax, cr0; clts: between them nothing of the compiler's is executed.
        ProbeRegisters registers = new() { Rax = cr0 | TaskSwitched };
        Report.Same(Traps.Try([0x0F, 0x22, 0xC0, 0x0F, 0x20, 0xC0, 0x0F, 0x06], ref registers), Traps.None, "TS set and cleared"u8);
        Report.Same(registers.Rax, cr0 | TaskSwitched, "cr0 with TS"u8);
        Report.Same(Get(read, "read of cr0"u8), cr0, "cr0 behind clts"u8);
    }

    private static void Cr2()
    {
        Report.Same(Set([0x0F, 0x22, 0xD0], 0x1234_5678), Traps.None, "write of cr2"u8);
        Report.Same(Get([0x0F, 0x20, 0xD0], "read of cr2"u8), 0x1234_5678, "cr2"u8);
        Report.Same(Memory.FaultAddress, 0x1234_5678, "cr2 in the shared page"u8);
        Traps.Try([0x8B, 0x04, 0x25, 0x00, 0x40, 0, 0]);
        Report.Same(Get([0x0F, 0x20, 0xD0], "read of cr2"u8), 0x4000, "cr2 behind a fault"u8);
    }

    private static void Cr3()
    {
        ulong cr3 = Get([0x0F, 0x20, 0xD8], "read of cr3"u8);
        Report.Same(cr3, Memory.Machine(Memory.Root), "cr3 is the root"u8);
        Report.Same(Set([0x0F, 0x22, 0xD8], cr3), Traps.None, "the same cr3"u8);
        Report.Same(Set([0x0F, 0x22, 0xD8], 0xB_8000), 13, "a cr3 in device memory"u8);
        Report.Same(Set([0x0F, 0x22, 0xD8], Memory.Machine(Memory.StartInfo)), 13, "a cr3 that is no root"u8);
        Report.Same(Get([0x0F, 0x20, 0xD8], "read of cr3"u8), cr3, "cr3 is what it was"u8);
    }

    private static void Cr4()
    {
        ulong cr4 = Get([0x0F, 0x20, 0xE0], "read of cr4"u8);
        Report.Same(cr4 & 0x220, 0x220, "PAE and OSFXSR"u8);
        Report.Same(cr4 & 0x31_0080 & ~0x1_0000UL, 0, "no PGE, SMEP, SMAP"u8);
        Report.Same(Set([0x0F, 0x22, 0xE0], cr4), Traps.None, "the same cr4"u8);
        Report.Same(Set([0x0F, 0x22, 0xE0], cr4 | 0x30_20B0), Traps.None, "cr4 with what a guest cannot have"u8);
        Report.Same(Get([0x0F, 0x20, 0xE0], "read of cr4"u8), cr4, "cr4 is what it was"u8);
        Report.Same(Set([0x0F, 0x22, 0xE0], cr4 | 4), Traps.None, "TSD"u8);
        Report.Same(Get([0x0F, 0x20, 0xE0], "read of cr4"u8), cr4 | 4, "cr4 with TSD"u8);
        Report.Same(Traps.Try([0x0F, 0x31]), Traps.None, "rdtsc of a kernel with TSD"u8);
        Report.Same(Set([0x0F, 0x22, 0xE0], cr4), Traps.None, "no TSD"u8);
        Report.Check(Traps.Try([0x0F, 0x20, 0xC8]) is 6 or 13, "cr1"u8);
    }

    private static void DebugRegisters()
    {
        for (ulong number = 0; number < 4; number++)
        {
            Report.Result(Xen.Call(HypercallNumber.SetDebugReg, number, 0x1000 * (number + 1)), XenError.None, "an address"u8);
            Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, number), 0x1000 * (number + 1), "the address"u8);
            Report.Result(Xen.Call(HypercallNumber.SetDebugReg, number, 0xFFFF_8300_0000_0000), XenError.NotPermitted, "an address of the hypervisor"u8);
            Report.Result(Xen.Call(HypercallNumber.SetDebugReg, number, 0x8000_0000_0000_0000), XenError.NotPermitted, "an address that is none"u8);
            Report.Result(Xen.Call(HypercallNumber.SetDebugReg, number, 0), XenError.None, "no address"u8);
        }

        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 8, 0), XenError.NoDevice, "register 8"u8);
        Report.Result(Xen.Call(HypercallNumber.GetDebugReg, 8), XenError.NoDevice, "read of register 8"u8);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, 1UL << 32), XenError.Invalid, "high bits of dr7"u8);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 6, 1UL << 32), XenError.Invalid, "high bits of dr6"u8);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, 1 << 13), XenError.NotPermitted, "dr7.GD"u8);
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, (2 << 16) | 1), XenError.NotPermitted, "a breakpoint on ports"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 7), 0x400, "dr7"u8);
        Xen.Call(HypercallNumber.SetDebugReg, 6, 0);
        Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 6), 0xFFFF_0FF0, "dr6"u8);
        Report.Same(Set([0x0F, 0x23, 0xC8], 0x7000), Traps.None, "mov to dr1"u8);
        Report.Same(Get([0x0F, 0x21, 0xC8], "mov from dr1"u8), 0x7000, "dr1"u8);
        Report.Same(Set([0x0F, 0x23, 0xC8], 0xFFFF_8300_0000_0000), 13, "mov of the hypervisor's address to dr1"u8);
    }

    private static void Breakpoints()
    {
        ulong* word = (ulong*)Memory.TakePage();
        Xen.Call(HypercallNumber.SetDebugReg, 0, (ulong)word);
        Xen.Call(HypercallNumber.SetDebugReg, 6, 0);

        // A data breakpoint of 8 bytes on writes, local and global.
        Report.Result(Xen.Call(HypercallNumber.SetDebugReg, 7, 0x3 | (1 << 16) | (2 << 18)), XenError.None, "a breakpoint"u8);
        ProbeRegisters registers = new() { Rcx = (ulong)word };
        Report.Same(Traps.Try([0x48, 0x89, 0x01, 0x90], ref registers), 1, "a write there"u8);
        Report.Same(Traps.Last.Rip, (ulong)Memory.CodePage + 3, "the breakpoint comes behind it"u8);
        Report.Same((ulong)Xen.Call(HypercallNumber.GetDebugReg, 6) & 0xF, 1, "dr6 names it"u8);

        // The hypervisor writes there on the guest's account: nothing of that may harm it.
        Report.Result(Xen.Call(HypercallNumber.XenVersion, 6, (ulong)word), XenError.None, "a hypercall's buffer with a breakpoint"u8);
        Xen.Call(HypercallNumber.SetDebugReg, 7, 0);
        Report.Same(Traps.Try([0x48, 0x89, 0x01, 0x90], ref registers), Traps.None, "without the breakpoint"u8);
    }

    private static void Others()
    {
        Report.Same(Traps.Try([0x0F, 0x09]), Traps.None, "wbinvd"u8);
        Report.Same(Traps.Try([0x0F, 0x08]), 13, "invd"u8);
        Report.Same(Traps.Try([0x0F, 0x01, 0x39]), 13, "invlpg"u8);
        Report.Same(Traps.Try([0x0F, 0x01, 0xF0]), 13, "lmsw"u8);
        Report.Same(Traps.Try([0x0F, 0x00, 0xD0]), 13, "lldt"u8);
        Report.Same(Traps.Try([0x44, 0x0F, 0x22, 0xC0]), 13, "cr8"u8);
        Report.Same(Traps.Try([0x0F, 0x31]), Traps.None, "rdtsc"u8);
        Report.Same(Traps.Try([0x0F, 0x01, 0xF9]), Traps.None, "rdtscp"u8);
        ulong cr4 = Get([0x0F, 0x20, 0xE0], "read of cr4"u8);
        Report.Same(Set([0x0F, 0x22, 0xE0], cr4 | 0x4_0000), Traps.None, "OSXSAVE"u8);
        if ((Get([0x0F, 0x20, 0xE0], "read of cr4"u8) & 0x4_0000) == 0)
        {
            return;
        }

        ProbeRegisters registers = default;
        Report.Same(Traps.Try([0x0F, 0x01, 0xD0], ref registers), Traps.None, "xgetbv"u8);
        Report.Same(registers.Rax & 1, 1, "x87 is always on"u8);
        registers = new ProbeRegisters { Rax = 3 };
        Report.Same(Traps.Try([0x0F, 0x01, 0xD1], ref registers), Traps.None, "xsetbv"u8);
        registers = new ProbeRegisters { Rax = 7, Rcx = 1 };
        Report.Same(Traps.Try([0x0F, 0x01, 0xD1], ref registers), 13, "xsetbv of register 1"u8);
        registers = new ProbeRegisters { Rax = 6 };
        Report.Same(Traps.Try([0x0F, 0x01, 0xD1], ref registers), 13, "xsetbv without x87"u8);
        registers = new ProbeRegisters { Rax = 5 };
        Report.Same(Traps.Try([0x0F, 0x01, 0xD1], ref registers), 13, "xsetbv of AVX without SSE"u8);
        registers = new ProbeRegisters { Rax = 7, Rdx = 0x8000_0000 };
        Report.Same(Traps.Try([0x0F, 0x01, 0xD1], ref registers), 13, "xsetbv of bit 63"u8);
    }
}
