// The structures of sysctl.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Xenolith.Abi;

/// <summary>What struct xen_sysctl begins with, 8 bytes (public sysctl.h); the operation's own arguments follow.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SysctlHeader
{
    /// <summary>XEN_SYSCTL_INTERFACE_VERSION.</summary>
    public const uint CurrentVersion = 0x15;

    public SysctlCommand Command;
    public uint Version;
}

/// <summary>struct xen_sysctl_readconsole, 24 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ReadConsole
{
    public byte Clear;
    public byte Incremental;
    public ushort Padding0;
    public uint Index;
    public ulong Buffer;
    public uint Count;
    public uint Padding1;
}

/// <summary>struct xen_sysctl_physinfo, 112 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PhysicalInfo
{
    public const uint HasHardwareVirtualization = 1 << 0;
    public const uint HasParavirtual = 1 << 1;
    public const uint HasDirectIo = 1 << 2;
    public const uint HasGrantVersion1 = 1 << 8;
    public const uint HasGrantVersion2 = 1 << 9;

    public uint ThreadsPerCore;
    public uint CoresPerSocket;
    public uint ProcessorCount;
    public uint HighestProcessor;
    public uint NodeCount;
    public uint HighestNode;
    public uint Kilohertz;
    public uint Capabilities;
    public uint ArchitectureCapabilities;
    public uint Padding;
    public ulong TotalPages;
    public ulong FreePages;
    public ulong ScrubPages;
    public ulong OutstandingPages;
    public ulong HighestFrame;
    public HardwareWords Hardware;
}

/// <summary>CPUID words: 1.edx, 1.ecx, 80000001.edx, 80000001.ecx, d:1.eax, 7:0.ebx, 7:0.ecx, 80000007.edx.</summary>
[InlineArray(8)]
public struct HardwareWords
{
    private uint _first;
}

/// <summary>struct xen_sysctl_getdomaininfolist, 24 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct DomainInfoList
{
    public ushort First;
    public ushort Padding0;
    public uint Maximum;
    public ulong Buffer;
    public uint Count;
    public uint Padding1;
}

/// <summary>struct xen_sysctl_availheap, 24 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct AvailableHeap
{
    public uint LeastBits;
    public uint MostBits;
    public int Node;
    public uint Padding;
    public ulong Bytes;
}

/// <summary>struct xen_sysctl_cputopo, 12 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ProcessorPlace
{
    public uint Core;
    public uint Socket;
    public uint Node;
}

/// <summary>struct xen_sysctl_cputopoinfo, 16 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct CpuTopology
{
    [FieldOffset(0)] public uint Count;
    [FieldOffset(8)] public ulong Places;
}

/// <summary>struct xen_sysctl_meminfo, 16 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NodeMemory
{
    public ulong Bytes;
    public ulong FreeBytes;
}

/// <summary>struct xen_sysctl_debug_keys, 16 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct DebugKeyList
{
    [FieldOffset(0)] public ulong Keys;
    [FieldOffset(8)] public uint Count;
}

/// <summary>struct xen_sysctl_getcpuinfo, 24 bytes (public sysctl.h): a list of the nanoseconds that each processor was idle.</summary>
[StructLayout(LayoutKind.Explicit, Size = 24)]
public struct IdleTimeList
{
    [FieldOffset(0)] public uint Maximum;
    [FieldOffset(8)] public ulong Buffer;
    [FieldOffset(16)] public uint Count;
}

/// <summary>struct xen_sysctl_numainfo, 24 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NumaInfo
{
    public uint Count;
    public uint Padding;
    public ulong Memory;
    public ulong Distances;
}

/// <summary>struct xen_sysctl_cpupool_op, 40 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuPoolOp
{
    public const uint Create = 1;
    public const uint Destroy = 2;
    public const uint Info = 3;
    public const uint AddProcessor = 4;
    public const uint RemoveProcessor = 5;
    public const uint MoveDomain = 6;
    public const uint FreeInfo = 7;

    public uint Operation;
    public uint Pool;
    public uint Scheduler;
    public uint Domain;
    public uint Processor;
    public uint DomainCount;
    public ControlBitmap Processors;
}

/// <summary>struct xen_sysctl_scheduler_op, 32 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct PoolSchedulerOp
{
    public const uint Put = 0;
    public const uint Get = 1;

    [FieldOffset(0)] public uint Pool;
    [FieldOffset(4)] public uint Scheduler;
    [FieldOffset(8)] public uint Command;

    /// <summary>Credit2: a vcpu that has begun to run goes on for at least so many microseconds, 0 = no such rule.</summary>
    [FieldOffset(16)] public uint RateLimit;
}

/// <summary>struct xen_sysctl_cpu_featureset, 16 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuFeatureSet
{
    public uint Index;
    public uint Count;
    public ulong Words;
}

/// <summary>struct xen_sysctl_cpu_policy, 32 bytes (public sysctl.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SystemCpuPolicy
{
    public const uint Raw = 0;
    public const uint Host = 1;
    public const uint PvMaximum = 2;
    public const uint HvmMaximum = 3;
    public const uint PvDefault = 4;
    public const uint HvmDefault = 5;

    public uint Index;
    public uint LeafCount;
    public uint MsrCount;
    public uint Reserved;
    public ulong Leaves;
    public ulong Msrs;
}
