// How a guest turns the TSC into time.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>struct vcpu_time_info, 32 bytes (public xen.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct VcpuTimeInfo
{
    /// <summary>Flag: the TSC is stable over all processors.</summary>
    public const byte TscStable = 1;

    /// <summary>Odd while the fields change.</summary>
    [FieldOffset(0x00)] public uint Version;
    [FieldOffset(0x08)] public ulong TscTimestamp;

    /// <summary>Nanoseconds since boot at <see cref="TscTimestamp"/>.</summary>
    [FieldOffset(0x10)] public ulong SystemTime;
    [FieldOffset(0x18)] public uint TscToSystemMultiplier;
    [FieldOffset(0x1C)] public sbyte TscShift;
    [FieldOffset(0x1D)] public byte Flags;
}
