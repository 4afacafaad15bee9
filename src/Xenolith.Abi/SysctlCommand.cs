// Numbers of the operations of sysctl.
namespace Xenolith.Abi;

/// <summary>XEN_SYSCTL_* (public sysctl.h).</summary>
public enum SysctlCommand : uint
{
    ReadConsole = 1, TraceBufferOp = 2, PhysicalInfo = 3, SchedulerId = 4, PerformanceCounterOp = 5, GetDomainInfoList = 6, DebugKeys = 7,
    GetCpuInfo = 8, AvailableHeap = 9, GetPowerStatistics = 10, CpuHotplug = 11, PowerOp = 12, PageOfflineOp = 14, LockProfileOp = 15,
    CpuTopology = 16, NumaInfo = 17, CpuPoolOp = 18, SchedulerOp = 19, CoverageOp = 20, CacheMonitoringOp = 21, PciTopology = 22,
    CacheAllocationOp = 23, CpuLevellingCapabilities = 25, GetCpuFeatureSet = 26, LivepatchOp = 27, GetCpuPolicy = 29,
}
