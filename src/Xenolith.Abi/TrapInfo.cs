// One entry of a guest's trap table.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>struct trap_info, 16 bytes (public arch-x86/xen.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct TrapInfo
{
    [FieldOffset(0)] public byte Vector;

    /// <summary>Bits 1:0 privilege level that may raise it by software; bit 2: mask events on entry.</summary>
    [FieldOffset(1)] public byte Flags;
    [FieldOffset(2)] public ushort Cs;

    /// <summary>0 = no handler.</summary>
    [FieldOffset(8)] public ulong Address;
}
