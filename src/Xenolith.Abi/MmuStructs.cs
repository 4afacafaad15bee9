// Requests of the page-table hypercalls.
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>struct mmu_update, 16 bytes (public xen.h): bits 2:0 of <see cref="Pointer"/> are the command.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MmuUpdate
{
    public const ulong NormalPageTableUpdate = 0;
    public const ulong MachineToPhysicalUpdate = 1;
    public const ulong PreserveAccessedDirty = 2;
    public const ulong NoTranslate = 3;

    public ulong Pointer;
    public ulong Value;
}

/// <summary>struct mmuext_op, 24 bytes (public xen.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MmuExtendedOp
{
    public uint Command;
    public uint Padding;
    public ulong Argument1;
    public ulong Argument2;
}

/// <summary>MMUEXT_* (public xen.h).</summary>
public enum MmuExtendedCommand : uint
{
    PinL1Table = 0, PinL2Table = 1, PinL3Table = 2, PinL4Table = 3, UnpinTable = 4, NewBasePointer = 5, TlbFlushLocal = 6,
    InvlpgLocal = 7, TlbFlushMulti = 8, InvlpgMulti = 9, TlbFlushAll = 10, InvlpgAll = 11, FlushCache = 12, SetLdt = 13,
    NewUserBasePointer = 15, ClearPage = 16, CopyPage = 17, FlushCacheGlobal = 18, MarkSuper = 19, UnmarkSuper = 20,
}

/// <summary>struct multicall_entry, 64 bytes (public xen.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MulticallEntry
{
    public ulong Operation;
    public long Result;
    public ulong Argument0;
    public ulong Argument1;
    public ulong Argument2;
    public ulong Argument3;
    public ulong Argument4;
    public ulong Argument5;
}

/// <summary>struct xen_memory_reservation, 32 bytes (public memory.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryReservation
{
    public ulong ExtentStart;
    public ulong ExtentCount;
    public uint ExtentOrder;
    public uint MemoryFlags;
    public ushort DomainId;
    public ushort Padding0;
    public uint Padding1;
}

/// <summary>struct xen_memory_exchange, 72 bytes (public memory.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryExchange
{
    public MemoryReservation In;
    public MemoryReservation Out;
    public ulong ExchangedCount;
}

/// <summary>struct e820entry, 20 bytes (public arch-x86/xen.h, unpadded).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
public struct E820Entry
{
    public const uint Ram = 1;
    public const uint Reserved = 2;
    public const uint Acpi = 3;
    public const uint Nvs = 4;
    public const uint Unusable = 5;

    public ulong Address;
    public ulong Bytes;
    public uint Type;
}

/// <summary>struct vcpu_runstate_info, 48 bytes (public vcpu.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuRunstateInfo
{
    public int State;
    public int Padding;
    public ulong EntryTime;
    public ulong Running;
    public ulong Runnable;
    public ulong Blocked;
    public ulong Offline;
}

/// <summary>The frame of the iret hypercall, 72 bytes (public arch-x86/xen-x86_64.h, struct iret_context).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IretContext
{
    /// <summary>Flag: leave by SYSRET; RCX and R11 are lost (VGCF_in_syscall).</summary>
    public const ulong InSyscall = 0x100;

    public ulong Rax;
    public ulong R11;
    public ulong Rcx;
    public ulong Flags;
    public ulong Rip;
    public ulong Cs;
    public ulong Rflags;
    public ulong Rsp;
    public ulong Ss;
}

/// <summary>struct callback_register, 16 bytes (public callback.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CallbackRegister
{
    public const ushort Event = 0;
    public const ushort Failsafe = 1;
    public const ushort Syscall = 2;
    public const ushort Nmi = 4;
    public const ushort Sysenter = 5;
    public const ushort Syscall32 = 7;

    public ushort Type;
    public ushort Flags;
    public uint Padding;
    public ulong Address;
}
