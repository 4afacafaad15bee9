// What the hypervisor knows of a grant entry in use.
using System.Runtime.InteropServices;

namespace Xenolith.Hypervisor.Grants;

/// <summary>
/// One per entry of a grant table, 16 bytes. Who uses the grant and which frame it named are fixed by the first user: what the
/// granting domain writes into its entry afterwards has no effect on it.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct ActiveGrant
{
    public const uint HostWrite = 1;
    public const uint HostRead = 1 << 8;
    public const uint DeviceWrite = 1 << 16;
    public const uint DeviceRead = 1 << 24;
    public const uint WriteMask = 0x00FF_00FF;

    /// <summary>A counter with its top bit set takes no further user, so that none can overflow into its neighbour.</summary>
    public const uint FullMask = 0x8080_8080;

    /// <summary>Four counters of 8 bits: 31:24 device read | 23:16 device write | 15:8 host read | 7:0 host write.</summary>
    public uint Pins;

    public ushort DomainId;
    public ushort Padding;

    /// <summary>Frame number that the entry named; version 1 has 32 bits for it.</summary>
    public uint Frame;
    public uint Padding2;
}
