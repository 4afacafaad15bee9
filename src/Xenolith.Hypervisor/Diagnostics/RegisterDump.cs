// The general registers, printed.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Diagnostics;

/// <summary>Four registers a line.</summary>
internal static class RegisterDump
{
    internal static void Print(ref GuestRegisters registers)
    {
        Log.Plain().Text("  rip "u8).Hex(registers.Cs & 0xFFFF, 4).Text(":"u8).Hex(registers.Rip, 16).Text(" rflags "u8).Hex(registers.Rflags, 8)
            .Text(" rsp "u8).Hex(registers.Ss & 0xFFFF, 4).Text(":"u8).Hex(registers.Rsp, 16).End();
        Line("rax "u8, registers.Rax, " rbx "u8, registers.Rbx, " rcx "u8, registers.Rcx, " rdx "u8, registers.Rdx);
        Line("rsi "u8, registers.Rsi, " rdi "u8, registers.Rdi, " rbp "u8, registers.Rbp, " r8  "u8, registers.R8);
        Line("r9  "u8, registers.R9, " r10 "u8, registers.R10, " r11 "u8, registers.R11, " r12 "u8, registers.R12);
        Line("r13 "u8, registers.R13, " r14 "u8, registers.R14, " r15 "u8, registers.R15, " cr3 "u8, Tlb.LoadedRoot);
    }

    private static void Line(
        ReadOnlySpan<byte> name1, ulong value1, ReadOnlySpan<byte> name2, ulong value2, ReadOnlySpan<byte> name3, ulong value3, ReadOnlySpan<byte> name4, ulong value4)
        => Log.Plain().Text("  "u8).Text(name1).Hex(value1, 16).Text(name2).Hex(value2, 16).Text(name3).Hex(value3, 16).Text(name4).Hex(value4, 16).End();
}
