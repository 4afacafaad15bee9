// The general registers by the number that instructions use.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8..R15: numbers 0 to 15 of an instruction's operand fields.</summary>
internal static class GeneralRegisters
{
    internal static ref ulong Select(ref GuestRegisters registers, int number)
    {
        switch (number & 15)
        {
            case 0: return ref registers.Rax;
            case 1: return ref registers.Rcx;
            case 2: return ref registers.Rdx;
            case 3: return ref registers.Rbx;
            case 4: return ref registers.Rsp;
            case 5: return ref registers.Rbp;
            case 6: return ref registers.Rsi;
            case 7: return ref registers.Rdi;
            case 8: return ref registers.R8;
            case 9: return ref registers.R9;
            case 10: return ref registers.R10;
            case 11: return ref registers.R11;
            case 12: return ref registers.R12;
            case 13: return ref registers.R13;
            case 14: return ref registers.R14;
            default: return ref registers.R15;
        }
    }
}
