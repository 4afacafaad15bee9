// Numbers of the operations of domctl.
namespace Xenolith.Abi;

/// <summary>XEN_DOMCTL_* (public domctl.h).</summary>
public enum DomctlCommand : uint
{
    CreateDomain = 1, DestroyDomain = 2, PauseDomain = 3, UnpauseDomain = 4, GetDomainInfo = 5, SetVcpuAffinity = 9, ShadowOp = 10,
    MaximumMemory = 11, SetVcpuContext = 12, GetVcpuContext = 13, GetVcpuInfo = 14, MaximumVcpus = 15, SchedulerOp = 16,
    SetDomainHandle = 17, SetDebugging = 18, IrqPermission = 19, IomemPermission = 20, IoportPermission = 21, HypercallInit = 22,
    SetTimeOffset = 24, GetVcpuAffinity = 25, ResumeDomain = 27, SendTrigger = 28, Subscribe = 29, GetHvmContext = 33, SetHvmContext = 34,
    SetAddressSize = 35, GetAddressSize = 36, AssignDevice = 37, BindInterrupt = 38, MemoryMapping = 39, IoportMapping = 40,
    SetExtendedVcpuContext = 42, GetExtendedVcpuContext = 43, TestAssignDevice = 45, SetTarget = 46, DeassignDevice = 47,
    UnbindInterrupt = 48, GetDeviceGroup = 50, DebugOp = 54, GetHvmContextPartial = 55, VmEventOp = 56, MemorySharingOp = 57,
    GetTscInfo = 59, SetTscInfo = 60, GetPageFrameInfo = 61, SetVcpuExtendedState = 62, GetVcpuExtendedState = 63, SetAccessRequired = 64,
    AuditP2m = 65, SetVirqHandler = 66, SetBrokenPage = 67, SetNodeAffinity = 68, GetNodeAffinity = 69, CacheFlush = 71, GetVcpuMsrs = 72,
    SetVcpuMsrs = 73, SetVnumaInfo = 74, CacheMonitoringOp = 75, MonitorOp = 77, CacheAllocationOp = 78, SoftReset = 79, VuartOp = 81,
    GetCpuPolicy = 82, SetCpuPolicy = 83, TraceOp = 84, GetPagingPoolSize = 85, SetPagingPoolSize = 86, DebuggerMemoryAccess = 1000,
    DebuggerPauseVcpu = 1001, DebuggerUnpauseVcpu = 1002, DebuggerDomainStatus = 1003,

    /// <summary>Of this hypervisor alone, with <see cref="VcpuCounts"/>: real Xen answers that it has no such operation.</summary>
    GetVcpuCounts = 0x584C_0001,

    /// <summary>Of this hypervisor alone, with <see cref="DomainName"/>: the name that a domain has from its boot module.</summary>
    GetDomainName = 0x584C_0002,
}
