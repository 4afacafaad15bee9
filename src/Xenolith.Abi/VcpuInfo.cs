// What a vcpu and the hypervisor share.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>struct vcpu_info, 64 bytes (public xen.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct VcpuInfo
{
    [FieldOffset(0x00)] public byte UpcallPending;
    [FieldOffset(0x01)] public byte UpcallMask;
    [FieldOffset(0x08)] public ulong PendingSelector;
    [FieldOffset(0x10)] public ulong Cr2;
    [FieldOffset(0x20)] public VcpuTimeInfo Time;
}
