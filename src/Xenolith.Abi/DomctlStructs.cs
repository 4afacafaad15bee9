// The structures of domctl.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>What struct xen_domctl begins with, 16 bytes (public domctl.h); the operation's own arguments follow.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomctlHeader
{
    /// <summary>XEN_DOMCTL_INTERFACE_VERSION.</summary>
    public const uint CurrentVersion = 0x15;

    public DomctlCommand Command;
    public uint Version;
    public ushort Domain;
    public ushort Padding0;
    public uint Padding1;
}

/// <summary>xen_domain_handle_t: the 16 bytes of a domain's UUID.</summary>
[InlineArray(16)]
public struct DomainHandle
{
    private byte _first;
}

/// <summary>struct xen_domctl_createdomain, 64 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CreateDomain
{
    /// <summary>Flag: belongs to the machine's own services; "shut all down" leaves it out.</summary>
    public const uint XenstoreDomain = 16;

    /// <summary>The bits of <see cref="GrantOptions"/> that hold the highest version of the grant table.</summary>
    public const uint GrantVersionMask = 15;

    /// <summary>The one miscellaneous flag: reads of unknown model-specific registers give 0.</summary>
    public const uint RelaxedMsrs = 1;

    public uint SecurityId;
    public DomainHandle Handle;
    public uint Flags;
    public uint IommuOptions;
    public uint MaximumVcpus;
    public uint MaximumEventPort;
    public int MaximumGrantFrames;
    public int MaximumMapTrackFrames;
    public uint GrantOptions;
    public uint TraceBytes;
    public uint CpuPool;
    public uint EmulationFlags;
    public uint MiscellaneousFlags;
}

/// <summary>struct xen_domctl_getdomaininfo, 112 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 112)]
public struct DomainInfo
{
    public const uint Dying = 1 << 0;
    public const uint ShutDown = 1 << 2;
    public const uint Paused = 1 << 3;
    public const uint Blocked = 1 << 4;
    public const uint Running = 1 << 5;
    public const uint XenstoreDomain = 1 << 7;
    public const int ShutdownShift = 16;

    /// <summary>Highest vcpu id of a domain that has none.</summary>
    public const uint NoVcpu = 0xFFFF_FFFF;

    [FieldOffset(0)] public ushort Domain;
    [FieldOffset(4)] public uint Flags;
    [FieldOffset(8)] public ulong TotalPages;
    [FieldOffset(16)] public ulong MaximumPages;
    [FieldOffset(24)] public ulong OutstandingPages;
    [FieldOffset(32)] public ulong SharedPages;
    [FieldOffset(40)] public ulong PagedPages;
    [FieldOffset(48)] public ulong SharedInfoFrame;

    /// <summary>Nanoseconds that its vcpus have run.</summary>
    [FieldOffset(56)] public ulong ProcessorTime;
    [FieldOffset(64)] public uint OnlineVcpus;
    [FieldOffset(68)] public uint HighestVcpu;
    [FieldOffset(72)] public uint SecurityId;
    [FieldOffset(76)] public DomainHandle Handle;
    [FieldOffset(92)] public uint CpuPool;
    [FieldOffset(96)] public byte AddressBits;
    [FieldOffset(104)] public uint EmulationFlags;
    [FieldOffset(108)] public uint MiscellaneousFlags;
}

/// <summary>struct xenctl_bitmap, 16 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ControlBitmap
{
    public ulong Buffer;
    public uint Bits;
    public uint Padding;
}

/// <summary>struct xen_domctl_vcpuaffinity, 40 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuAffinity
{
    public const uint HardFlag = 1;
    public const uint SoftFlag = 2;
    public const uint ForceFlag = 4;

    public uint Vcpu;
    public uint Flags;
    public ControlBitmap Hard;
    public ControlBitmap Soft;
}

/// <summary>struct xen_domctl_getvcpuinfo, 24 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuStatus
{
    public uint Vcpu;
    public byte Online;
    public byte Blocked;
    public byte Running;
    public byte Padding0;

    /// <summary>Nanoseconds.</summary>
    public ulong ProcessorTime;
    public uint Processor;
    public uint Padding1;
}

/// <summary>A domain's name, 32 bytes of text that end with a zero; not Xen's (see <see cref="DomctlCommand.GetDomainName"/>).</summary>
[InlineArray(Bytes)]
public struct DomainName
{
    public const int Bytes = 32;

    private byte _first;
}

/// <summary>What a vcpu has caused since its start, 40 bytes; not Xen's (see <see cref="DomctlCommand.GetVcpuCounts"/>).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuCounts
{
    /// <summary>In.</summary>
    public uint Vcpu;
    public uint Padding;

    /// <summary>Nanoseconds for which it could have run but had no processor.</summary>
    public ulong StolenTime;
    public ulong Hypercalls;

    /// <summary>Page faults that its kernel was given.</summary>
    public ulong PageFaults;

    /// <summary>Entries into its event callback.</summary>
    public ulong Upcalls;
}

/// <summary>struct xen_domctl_vcpucontext, 16 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct VcpuContextOp
{
    [FieldOffset(0)] public uint Vcpu;
    [FieldOffset(8)] public ulong Context;
}

/// <summary>struct xen_domctl_scheduler_op, 24 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct DomainSchedulerOp
{
    public const uint Put = 0;
    public const uint Get = 1;
    public const uint PutVcpus = 2;
    public const uint GetVcpus = 3;

    /// <summary>XEN_SCHEDULER_CREDIT2.</summary>
    public const uint Credit2 = 6;

    [FieldOffset(0)] public uint Scheduler;
    [FieldOffset(4)] public uint Command;

    /// <summary>Credit2: the domain's share; 256 is the usual one.</summary>
    [FieldOffset(8)] public ushort Weight;

    /// <summary>Credit2: most percent of a processor, 0 = no limit.</summary>
    [FieldOffset(10)] public ushort Cap;
}

/// <summary>struct xen_domctl_tsc_info, 24 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TscInfo
{
    public uint Mode;
    public uint Kilohertz;
    public uint Incarnation;
    public uint Padding;
    public ulong ElapsedNanoseconds;
}

/// <summary>struct xen_domctl_ext_vcpucontext, 64 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct ExtendedVcpuContext
{
    [FieldOffset(0)] public uint Vcpu;

    /// <summary>Bytes of this structure that hold something.</summary>
    [FieldOffset(4)] public uint Bytes;
    [FieldOffset(8)] public ulong Syscall32Callback;
    [FieldOffset(16)] public ulong SysenterCallback;
    [FieldOffset(24)] public ushort Syscall32Selector;
    [FieldOffset(26)] public ushort SysenterSelector;
    [FieldOffset(28)] public byte Syscall32MasksEvents;
    [FieldOffset(29)] public byte SysenterMasksEvents;
    [FieldOffset(32)] public ulong MachineCheckCapability;
}

/// <summary>struct xen_domctl_vcpuextstate, 32 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuExtendedState
{
    public uint Vcpu;
    public uint Padding;
    public ulong FeatureMask;
    public ulong Bytes;
    public ulong Buffer;
}

/// <summary>struct xen_domctl_vcpu_msrs, 16 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuMsrs
{
    public uint Vcpu;
    public uint Count;
    public ulong Buffer;
}

/// <summary>struct xen_domctl_vcpu_msr, 16 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VcpuMsr
{
    public uint Index;
    public uint Reserved;
    public ulong Value;
}

/// <summary>struct xen_domctl_cpu_policy, 40 bytes (public domctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomainCpuPolicy
{
    public uint LeafCount;
    public uint MsrCount;
    public ulong Leaves;
    public ulong Msrs;
    public uint BadLeaf;
    public uint BadSubleaf;
    public uint BadMsr;
    public uint Padding;
}

/// <summary>xen_cpuid_leaf_t, 24 bytes (public arch-x86/xen.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuIdLeaf
{
    /// <summary>XEN_CPUID_NO_SUBLEAF: the leaf does not look at ECX.</summary>
    public const uint NoSubleaf = 0xFFFF_FFFF;

    public uint Leaf;
    public uint Subleaf;
    public uint Eax;
    public uint Ebx;
    public uint Ecx;
    public uint Edx;
}

/// <summary>xen_msr_entry_t, 16 bytes (public arch-x86/xen.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MsrEntry
{
    public uint Index;
    public uint Flags;
    public ulong Value;
}
