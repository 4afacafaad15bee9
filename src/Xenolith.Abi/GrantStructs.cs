// Structures of the grant table and of grant_table_op.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>Flags of a version-1 grant entry (public grant_table.h, GTF_*). Entry: 15:0 flags, 31:16 domain id, 63:32 frame.</summary>
public static class GrantEntryFlags
{
    public const uint TypeMask = 3;
    public const uint PermitAccess = 1;
    public const uint AcceptTransfer = 2;

    /// <summary>Permit access: the other domain may only read.</summary>
    public const uint ReadOnly = 1 << 2;

    /// <summary>Permit access, set by the hypervisor: mapped, or being copied from.</summary>
    public const uint Reading = 1 << 3;

    /// <summary>Permit access, set by the hypervisor: mapped writable, or being copied to.</summary>
    public const uint Writing = 1 << 4;

    /// <summary>Permit access, version 2 only: a part of a page.</summary>
    public const uint SubPage = 1 << 8;

    /// <summary>Accept transfer, set by the hypervisor: a frame is on its way.</summary>
    public const uint TransferCommitted = 1 << 2;

    /// <summary>Accept transfer, set by the hypervisor: the frame field names the frame that has come.</summary>
    public const uint TransferCompleted = 1 << 3;
}

/// <summary>Flags of a mapping (public grant_table.h, GNTMAP_*).</summary>
public static class GrantMapFlags
{
    public const uint DeviceMap = 1;
    public const uint HostMap = 1 << 1;
    public const uint ReadOnly = 1 << 2;

    /// <summary>The mapping is for user mode.</summary>
    public const uint ApplicationMap = 1 << 3;

    /// <summary>The host address is the machine address of the page table entry.</summary>
    public const uint ContainsPte = 1 << 4;

    /// <summary>First of the bits that go to bits 9 and up of the page table entry.</summary>
    public const int AvailableShift = 16;
}

/// <summary>struct gnttab_map_grant_ref (public grant_table.h), 32 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct GrantMap
{
    [FieldOffset(0)] public ulong HostAddress;
    [FieldOffset(8)] public uint Flags;
    [FieldOffset(12)] public uint Reference;
    [FieldOffset(16)] public ushort DomainId;
    [FieldOffset(18)] public short Status;
    [FieldOffset(20)] public uint Handle;
    [FieldOffset(24)] public ulong BusAddress;
}

/// <summary>struct gnttab_unmap_grant_ref and, with the new address in place of the bus address, gnttab_unmap_and_replace; 24 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct GrantUnmap
{
    public const int StatusOffset = 20;

    [FieldOffset(0)] public ulong HostAddress;
    [FieldOffset(8)] public ulong BusAddress;
    [FieldOffset(16)] public uint Handle;
    [FieldOffset(20)] public short Status;
}

/// <summary>struct gnttab_setup_table (public grant_table.h), 24 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct GrantSetupTable
{
    public const int StatusOffset = 8;

    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(4)] public uint FrameCount;
    [FieldOffset(8)] public short Status;
    [FieldOffset(16)] public ulong FrameList;
}

/// <summary>struct gnttab_query_size (public grant_table.h), 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct GrantQuerySize
{
    [FieldOffset(0)] public ushort DomainId;
    [FieldOffset(4)] public uint FrameCount;
    [FieldOffset(8)] public uint MaximumFrameCount;
    [FieldOffset(12)] public short Status;
}

/// <summary>struct gnttab_transfer (public grant_table.h), 24 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct GrantTransfer
{
    public const int StatusOffset = 16;

    [FieldOffset(0)] public ulong Frame;
    [FieldOffset(8)] public ushort DomainId;
    [FieldOffset(12)] public uint Reference;
    [FieldOffset(16)] public short Status;
}

/// <summary>struct gnttab_copy (public grant_table.h), 40 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
public struct GrantCopy
{
    public const int StatusOffset = 36;
    public const ushort SourceIsReference = 1;
    public const ushort DestinationIsReference = 2;

    [FieldOffset(0)] public GrantCopySide Source;
    [FieldOffset(16)] public GrantCopySide Destination;
    [FieldOffset(32)] public ushort Length;
    [FieldOffset(34)] public ushort Flags;
    [FieldOffset(36)] public short Status;
}

/// <summary>One side of struct gnttab_copy, 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct GrantCopySide
{
    /// <summary>A grant reference (its low 32 bits) or a frame number.</summary>
    [FieldOffset(0)] public ulong Page;
    [FieldOffset(8)] public ushort DomainId;
    [FieldOffset(10)] public ushort Offset;
}

/// <summary>struct gnttab_swap_grant_ref (public grant_table.h), 12 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 12)]
public struct GrantSwap
{
    public const int StatusOffset = 8;

    [FieldOffset(0)] public uint First;
    [FieldOffset(4)] public uint Second;
    [FieldOffset(8)] public short Status;
}
