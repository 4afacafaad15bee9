// The frame that a guest's handler finds on its stack.
using System.Runtime.InteropServices;

namespace Xenolith.Hypervisor.Traps;

/// <summary>RCX and R11 below the hardware's frame without an error code: 56 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BounceFrame
{
    internal ulong Rcx;
    internal ulong R11;
    internal ulong Rip;
    internal ulong Cs;
    internal ulong Rflags;
    internal ulong Rsp;
    internal ulong Ss;
}

/// <summary>The same with an error code: 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BounceFrameWithError
{
    internal ulong Rcx;
    internal ulong R11;
    internal ulong ErrorCode;
    internal ulong Rip;
    internal ulong Cs;
    internal ulong Rflags;
    internal ulong Rsp;
    internal ulong Ss;
}
