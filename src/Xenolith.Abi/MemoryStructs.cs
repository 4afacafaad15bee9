// Operations of memory_op, and structures of those that a control domain uses.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>XENMEM_* (public memory.h).</summary>
public enum MemoryCommand : uint
{
    IncreaseReservation = 0, DecreaseReservation = 1, MaximumRamPage = 2, CurrentReservation = 3, MaximumReservation = 4,
    MachineToPhysicalList = 5, PopulatePhysmap = 6, MemoryMap = 9, MachineMemoryMap = 10, Exchange = 11, SetMemoryMap = 13,
    SharingFreedPages = 18, SharingSharedPages = 19, ClaimPages = 24, AcquireResource = 28,
}

/// <summary>struct xen_foreign_memory_map, 24 bytes (public memory.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct ForeignMemoryMap
{
    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(8)] public uint Count;
    [FieldOffset(16)] public ulong Buffer;
}

/// <summary>struct xen_mem_acquire_resource, 32 bytes (public memory.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct AcquireResource
{
    /// <summary>Type: frames of the domain's grant table.</summary>
    public const ushort GrantTable = 1;

    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(2)] public ushort Type;
    [FieldOffset(4)] public uint Id;
    [FieldOffset(8)] public uint FrameCount;
    [FieldOffset(16)] public ulong FirstFrame;
    [FieldOffset(24)] public ulong FrameList;
}
