// The registers of a guest as the entry path stores them.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>
/// General registers and the interrupt frame of a vcpu that has entered the hypervisor; 168 bytes, in the order of the public
/// cpu_user_regs. The last five words are written by the processor (or by the SYSCALL entry) and read by IRETQ.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct GuestRegisters
{
    /// <summary>Value of <see cref="Vector"/> after an entry by SYSCALL.</summary>
    public const uint SyscallVector = 0x100;

    public ulong R15;
    public ulong R14;
    public ulong R13;
    public ulong R12;
    public ulong Rbp;
    public ulong Rbx;
    public ulong R11;
    public ulong R10;
    public ulong R9;
    public ulong R8;
    public ulong Rax;
    public ulong Rcx;
    public ulong Rdx;
    public ulong Rsi;
    public ulong Rdi;
    public uint ErrorCode;
    public uint Vector;
    public ulong Rip;
    public ulong Cs;
    public ulong Rflags;
    public ulong Rsp;
    public ulong Ss;
}
