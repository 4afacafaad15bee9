// Making a domain, before it has memory.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Slot, shared page, grant table; then vcpus. What fails leaves nothing behind.</summary>
internal static class DomainCreation
{
    private const ulong ResetXcr0 = 1;

    /// <summary>A domain of that id, in building. Errors: Exists, Invalid (no such id), NoMemory.</summary>
    internal static XenError TryCreate(ushort id)
    {
        XenError error = DomainTable.TryTake(id);
        return error == XenError.None ? TryEquip(ref DomainTable.At(id)) : error;
    }

    /// <summary>A domain of an id that is free, in building. Errors: NoMemory, NoSpace (as many domains as there can be).</summary>
    internal static XenError TryCreate(out ushort id)
    {
        XenError error = DomainTable.TryTakeNext(out id);
        return error == XenError.None ? TryEquip(ref DomainTable.At(id)) : error;
    }

    /// <summary>Adds the vcpu of the next id, offline. Errors: Invalid (as many as there can be), NoMemory.</summary>
    internal static XenError TryAddVcpu(ref Domain domain)
    {
        int id = domain.VcpuCount;
        if (id >= Domain.MaximumVcpus)
        {
            return XenError.Invalid;
        }

        if (!DomainFrames.TryAllocateOwn(out Mfn fpuArea))
        {
            return XenError.NoMemory;
        }

        if (!VcpuTable.TryTake(out int index))
        {
            DomainFrames.FreeOwn(fpuArea);
            return XenError.NoMemory;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        vcpu.Id = id;
        vcpu.DomainId = domain.Id;
        vcpu.FpuArea = fpuArea;
        domain.VcpuCount = id + 1;
        domain.SetVcpuIndex(id, index);
        Fpu.Initialize(fpuArea);
        vcpu.Time.RunState = RunState.Offline;
        vcpu.Time.RunStateEntered = SystemTime.Now();
        vcpu.Traps.Xcr0 = ResetXcr0;
        vcpu.Traps.Cr4 = ControlRegisterEmulation.InitialCr4;
        vcpu.Traps.Dr6 = DebugRegisters.StatusReset;
        vcpu.Traps.Dr7 = DebugRegisters.ControlReset;
        VcpuInfoPage.Initialize(ref vcpu);
        VcpuClock.Update(ref vcpu);
        Scheduler.Add(ref vcpu);
        return XenError.None;
    }

    private static XenError TryEquip(ref Domain domain)
    {
        domain.Settings = DomainSettings.New();
        if (!DomainFrames.TryAllocateShared(ref domain, out domain.SharedInfo))
        {
            DomainTable.Release(ref domain);
            return XenError.NoMemory;
        }

        if (!GrantTable.TryGrow(ref domain, 1))
        {
            GrantTable.Release(ref domain);
            DomainFrames.ReleaseShared(domain.SharedInfo);
            DomainTable.Release(ref domain);
            return XenError.NoMemory;
        }

        for (int slot = 0; slot < SharedInfoLayout.VcpuInfoCount; slot++)
        {
            PhysicalMemory.At<VcpuInfo>(domain.SharedInfo, slot * SharedInfoLayout.VcpuInfoBytes).UpcallMask = 1;
        }

        VcpuClock.UpdateWall(ref domain);
        return XenError.None;
    }
}
