// fpu: x87, SSE and AVX registers keep their values across hypercalls, emulated instructions, faults and interrupts.
using System.Runtime;
using Xenolith.Abi;

namespace Xenolith.Guest.Programs;

internal static unsafe class FpuProgram
{
    [RuntimeExport("guest_fpu")]
    private static void Main()
    {
        Events.Start();
        Traps.Start();
        Traps.Callbacks();
        Timers.Start();
        VectorRegisters.Start(37);
        All();
        if (VectorRegisters.TryWiden())
        {
            All();
        }
    }

    private static void All()
    {
        // xen_version(0)
        Across([0xB8, 17, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05], "a hypercall"u8);

        // sched_op(yield)
        Across([0xB8, 29, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05], "a yield"u8);
        Across([0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2], "a forced cpuid"u8, 0x2468);
        Across([0xB9, 0x00, 0x01, 0x00, 0xC0, 0x0F, 0x32], "a rdmsr"u8);
        Across([0x0F, 0x20, 0xC0], "a mov from cr0"u8);
        Interrupted();
        Numbers();
    }

    private static void Across(ReadOnlySpan<byte> instructions, ReadOnlySpan<byte> what, ulong rax = 0) =>
        Report.Check(VectorRegisters.Survive(instructions, rax), what);

    /// <summary>Turns in a loop until the timer's event has been taken in the middle of it.</summary>
    private static void Interrupted()
    {
        Events.Forget();
        Timers.SingleShot(Timers.Now + 5_000_000);
        Events.Open();

        // mov rax, address of the counter; again: cmp qword [rax], 0; je again
        byte* code = stackalloc byte[16];
        code[0] = 0x48;
        code[1] = 0xB8;
        *(ulong*)(code + 2) = (ulong)Events.UpcallCounter;
        code[10] = 0x48;
        code[11] = 0x83;
        code[12] = 0x38;
        code[13] = 0;
        code[14] = 0x74;
        code[15] = 0xFA;
        Across(new ReadOnlySpan<byte>(code, 16), "an interrupt"u8);
        Events.Mask = 1;
        Report.Check(Events.Upcalls != 0, "the interrupt came"u8);
    }

    private static void Numbers()
    {
        ulong* memory = (ulong*)Memory.TakePage();
        memory[0] = 0x400921FB54442D18;
        *(uint*)(memory + 4) = 0x9F80;
        *(ushort*)(memory + 5) = 0x27F;

        // ldmxcsr [rbx+32]; fldcw [rbx+40]; fld qword [rbx]; hypercall; fstp qword [rbx+8]; fnstcw [rbx+48]; stmxcsr [rbx+56]; fninit
        ProbeRegisters registers = new() { Rbx = (ulong)memory };
        ulong vector = Traps.Try(
            [
                0x0F, 0xAE, 0x53, 0x20, 0xD9, 0x6B, 0x28, 0xDD, 0x03, 0xB8, 17, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05, 0xDD, 0x5B, 0x08,
                0xD9, 0x7B, 0x30, 0x0F, 0xAE, 0x5B, 0x38, 0xDB, 0xE3,
            ],
            ref registers);
        Report.Same(vector, Traps.None, "x87 across a hypercall"u8);
        Report.Same(memory[1], memory[0], "the number"u8);
        Report.Same(*(ushort*)(memory + 6), 0x27F, "the control word"u8);
        Report.Same(*(uint*)(memory + 7), 0x9F80, "MXCSR"u8);
        *(uint*)(memory + 4) = 0x1F80;
        Traps.Try([0x0F, 0xAE, 0x53, 0x20], ref registers);
    }
}
