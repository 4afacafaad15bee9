// Registers of a piece of code that a guest tries.
using System.Runtime.InteropServices;

namespace Xenolith.Guest;

/// <summary>Values before, and when nothing trapped after; guests/arch/traps.S knows the offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ProbeRegisters
{
    internal ulong Rax;
    internal ulong Rcx;
    internal ulong Rdx;
    internal ulong Rbx;
    internal ulong Rsi;
    internal ulong Rdi;
    internal ulong R8;
    internal ulong R9;
    internal ulong R10;
    internal ulong R12;
}
