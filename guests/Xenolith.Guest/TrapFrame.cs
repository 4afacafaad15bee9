// What a trap leaves on the stack of the guest's kernel.
using System.Runtime.InteropServices;

namespace Xenolith.Guest;

/// <summary>Built by guests/arch/traps.S on top of the frame that the hypervisor wrote.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TrapFrame
{
    internal ulong R15;
    internal ulong R14;
    internal ulong R13;
    internal ulong R12;
    internal ulong R11;
    internal ulong R10;
    internal ulong R9;
    internal ulong R8;
    internal ulong Rdi;
    internal ulong Rsi;
    internal ulong Rbp;
    internal ulong Rbx;
    internal ulong Rdx;
    internal ulong Rcx;
    internal ulong Rax;
    internal ulong Vector;
    internal ulong ErrorCode;
    internal ulong Rip;
    internal ulong Cs;
    internal ulong Rflags;
    internal ulong Rsp;
    internal ulong Ss;

    /// <summary>The two low bits of the code selector: 0 the kernel, 3 a user program.</summary>
    internal readonly uint Ring => (uint)Cs & 3;

    /// <summary>Whether events were masked before the delivery.</summary>
    internal readonly bool EventsWereMasked => ((Cs >> 32) & 0xFF) != 0;
}
