// The vector registers that the entry path keeps beside the general ones.
using System.Runtime.InteropServices;

namespace Xenolith.Machine;

/// <summary>XMM0, XMM1 and XMM8 of a guest that has entered the hypervisor: what the hypervisor's own code may touch.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct KeptVectors
{
    public ulong Xmm0Low;
    public ulong Xmm0High;
    public ulong Xmm1Low;
    public ulong Xmm1High;
    public ulong Xmm8Low;
    public ulong Xmm8High;
}
