// domctl: control of single domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 36 (public domctl.h). RDI = struct xen_domctl: 16 bytes of header, then the operation's arguments.</summary>
internal static class DomctlHypercall
{
    /// <summary>Offset of the arguments.</summary>
    internal const ulong HeaderBytes = 16;

    /// <summary>Offset of the domain in the header.</summary>
    internal const ulong DomainOffset = 8;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        GuestAddress at = new(call.Argument0);
        if (!GuestMemory.TryRead(at, out DomctlHeader header))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (header.Version != DomctlHeader.CurrentVersion)
        {
            return HypercallResult.From(XenError.AccessDenied);
        }

        if (!DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        switch (header.Command)
        {
            // These two say themselves which domain they mean.
            case DomctlCommand.CreateDomain: return HypercallResult.From(DomainLifeOperations.Create(at, header.Domain));
            case DomctlCommand.GetDomainInfo: return HypercallResult.From(DomainInfoOperations.Get(at, header.Domain));

            // There is no unit that translates for devices.
            case DomctlCommand.TestAssignDevice or DomctlCommand.GetDeviceGroup: return HypercallResult.From(XenError.NotSupported);
        }

        XenError error = DomainControl.TryClaim(ref call.Domain, header.Domain, out DomainControl control);
        if (error != XenError.None)
        {
            return HypercallResult.From(error);
        }

        if (header.Command != DomctlCommand.DestroyDomain && !DomainTable.Exists(header.Domain))
        {
            return HypercallResult.From(XenError.NoSuchDomain);
        }

        error = Apply(ref call, header.Command, control, at.Add(HeaderBytes));
        return error == XenError.Restart ? HypercallResult.Continue : HypercallResult.From(error);
    }

    private static XenError Apply(ref HypercallCall call, DomctlCommand command, DomainControl control, GuestAddress at)
    {
        switch (command)
        {
            case DomctlCommand.DestroyDomain: return DomainLifeOperations.Destroy(ref call, control);
            case DomctlCommand.PauseDomain: return DomainLifeOperations.Pause(ref call, control);
            case DomctlCommand.UnpauseDomain: return DomainPause.TryUnpause(ref control.Domain);
            case DomctlCommand.SetVcpuAffinity: return VcpuAffinityOperations.Set(control, at);
            case DomctlCommand.ShadowOp: return ShadowOperation.Handle(ref call, control, at);
            case DomctlCommand.MaximumMemory: return DomainSettingOperations.SetMaximumMemory(control, at);
            case DomctlCommand.SetVcpuContext: return VcpuContextOperations.Set(ref call, control, at);
            case DomctlCommand.GetVcpuContext: return VcpuContextOperations.Get(ref call, control, at);
            case DomctlCommand.GetVcpuInfo: return DomainInfoOperations.GetVcpu(control, at);
            case DomctlCommand.GetVcpuCounts: return DomainInfoOperations.GetVcpuCounts(control, at);
            case DomctlCommand.GetDomainName: return DomainInfoOperations.GetName(control, at);
            case DomctlCommand.MaximumVcpus: return DomainLifeOperations.SetVcpuCount(control, at);
            case DomctlCommand.SchedulerOp: return DomainSchedulerOperation.Handle(control, at);
            case DomctlCommand.SetDomainHandle: return DomainSettingOperations.SetHandle(control, at);
            case DomctlCommand.IrqPermission or DomctlCommand.IomemPermission or DomctlCommand.IoportPermission:
                return DomainSettingOperations.SetPermission(command, at);
            case DomctlCommand.HypercallInit: return DomainSettingOperations.FillHypercallPage(control, at);
            case DomctlCommand.SetTimeOffset: return DomainSettingOperations.SetTimeOffset(control, at);
            case DomctlCommand.GetVcpuAffinity: return VcpuAffinityOperations.Get(control, at);
            case DomctlCommand.ResumeDomain: return DomainLifeOperations.Resume(ref call, control);
            case DomctlCommand.SendTrigger: return DomainSettingOperations.SendTrigger(control, at);
            case DomctlCommand.Subscribe: return DomainSettingOperations.Subscribe(control, at);
            case DomctlCommand.SetAddressSize: return DomainSettingOperations.SetAddressSize(at);
            case DomctlCommand.GetAddressSize: return DomainSettingOperations.GetAddressSize(at);
            case DomctlCommand.SetExtendedVcpuContext: return VcpuStateOperations.SetExtendedContext(control, at);
            case DomctlCommand.GetExtendedVcpuContext: return VcpuStateOperations.GetExtendedContext(control, at);
            case DomctlCommand.SetTarget: return DomainSettingOperations.SetTarget(control, at);
            case DomctlCommand.GetTscInfo: return DomainSettingOperations.GetTscInfo(control, at);
            case DomctlCommand.SetTscInfo: return DomainSettingOperations.SetTscInfo(control, at);
            case DomctlCommand.GetPageFrameInfo: return PageFrameInfoOperation.Handle(control, at);
            case DomctlCommand.SetVcpuExtendedState: return VcpuStateOperations.SetExtendedState(ref call, control, at);
            case DomctlCommand.GetVcpuExtendedState: return VcpuStateOperations.GetExtendedState(control, at);
            case DomctlCommand.SetVirqHandler: return DomainSettingOperations.SetVirqHandler(control, at);
            case DomctlCommand.SetNodeAffinity: return DomainSettingOperations.SetNodeAffinity(at);
            case DomctlCommand.GetNodeAffinity: return DomainSettingOperations.GetNodeAffinity(at);
            case DomctlCommand.GetVcpuMsrs: return VcpuStateOperations.GetMsrs(control, at);
            case DomctlCommand.SetVcpuMsrs: return VcpuStateOperations.SetMsrs(control, at);
            case DomctlCommand.GetCpuPolicy: return CpuPolicyOperations.GetOfDomain(control, at);
            case DomctlCommand.SetCpuPolicy: return CpuPolicyOperations.SetOfDomain(control, at);

            // Devices behind a translation unit, full virtualization, observation, debuggers, NUMA layouts and cache allocation: none here.
            case DomctlCommand.SetDebugging or DomctlCommand.GetHvmContext or DomctlCommand.SetHvmContext or DomctlCommand.AssignDevice
                or DomctlCommand.BindInterrupt or DomctlCommand.MemoryMapping or DomctlCommand.IoportMapping or DomctlCommand.DeassignDevice
                or DomctlCommand.UnbindInterrupt or DomctlCommand.DebugOp or DomctlCommand.GetHvmContextPartial or DomctlCommand.VmEventOp
                or DomctlCommand.MemorySharingOp or DomctlCommand.SetAccessRequired or DomctlCommand.SetBrokenPage or DomctlCommand.SetVnumaInfo
                or DomctlCommand.CacheMonitoringOp or DomctlCommand.MonitorOp or DomctlCommand.CacheAllocationOp or DomctlCommand.SoftReset
                or DomctlCommand.VuartOp or DomctlCommand.TraceOp or DomctlCommand.GetPagingPoolSize or DomctlCommand.SetPagingPoolSize:
                return XenError.NotSupported;
            default: return XenError.NotImplemented;
        }
    }
}
