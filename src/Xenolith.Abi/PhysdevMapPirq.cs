// Asking for a physical interrupt.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>struct physdev_map_pirq (public physdev.h), 40 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
public struct PhysdevMapPirq
{
    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(4)] public int Type;
    [FieldOffset(8)] public int Index;

    /// <summary>In: the number wanted, or -1; out: the number given.</summary>
    [FieldOffset(12)] public int Pirq;
    [FieldOffset(16)] public int Bus;
    [FieldOffset(20)] public int DeviceFunction;
    [FieldOffset(24)] public int EntryNumber;
    [FieldOffset(32)] public ulong TableBase;
}
