// sysctl: control and questions about the machine as a whole.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 35 (public sysctl.h). RDI = struct xen_sysctl: 8 bytes of header, then the operation's arguments.</summary>
internal static class SysctlHypercall
{
    private const ulong HeaderBytes = 8;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        GuestAddress at = new(call.Argument0);
        if (!GuestMemory.TryRead(at, out SysctlHeader header))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (header.Version != SysctlHeader.CurrentVersion)
        {
            return HypercallResult.From(XenError.AccessDenied);
        }

        if (!DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        GuestAddress arguments = at.Add(HeaderBytes);
        return header.Command == SysctlCommand.GetDomainInfoList
            ? DomainInfoListOperation.Handle(ref call, arguments)
            : HypercallResult.From(Apply(ref call, header.Command, arguments));
    }

    private static XenError Apply(ref HypercallCall call, SysctlCommand command, GuestAddress at)
    {
        switch (command)
        {
            case SysctlCommand.ReadConsole: return ReadConsoleOperation.Handle(at);
            case SysctlCommand.PhysicalInfo: return MachineInfoOperations.GetPhysicalInfo(at);
            case SysctlCommand.SchedulerId: return PoolOperations.GetSchedulerId(at);
            case SysctlCommand.DebugKeys: return MachineInfoOperations.PressKeys(at);
            case SysctlCommand.GetCpuInfo: return MachineInfoOperations.GetIdleTimes(at);
            case SysctlCommand.AvailableHeap: return MachineInfoOperations.GetAvailableHeap(at);
            case SysctlCommand.CpuTopology: return TopologyOperations.GetProcessors(at);
            case SysctlCommand.NumaInfo: return TopologyOperations.GetNodes(at);
            case SysctlCommand.CpuPoolOp: return PoolOperations.Handle(at);
            case SysctlCommand.SchedulerOp: return PoolOperations.HandleScheduler(at);
            case SysctlCommand.GetCpuFeatureSet: return CpuFeatureSetOperation.Handle(ref call.Domain, at);
            case SysctlCommand.GetCpuPolicy: return CpuPolicyOperations.GetOfMachine(ref call.Domain, at);

            // Tracing, counters, power states, faulty pages, cache allocation, patches: none here.
            case SysctlCommand.GetPowerStatistics or SysctlCommand.CpuHotplug or SysctlCommand.PowerOp or SysctlCommand.PageOfflineOp
                or SysctlCommand.CoverageOp or SysctlCommand.CacheMonitoringOp or SysctlCommand.PciTopology or SysctlCommand.CacheAllocationOp
                or SysctlCommand.CpuLevellingCapabilities or SysctlCommand.LivepatchOp:
                return XenError.NotSupported;
            default: return XenError.NotImplemented;
        }
    }
}
