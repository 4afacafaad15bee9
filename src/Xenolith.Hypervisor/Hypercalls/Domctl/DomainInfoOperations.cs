// domctl: what a domain and its vcpus are doing.
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>getdomaininfo and getvcpuinfo, and what a vcpu has caused; the list of all domains (sysctl) has the same records.</summary>
internal static class DomainInfoOperations
{
    /// <summary>The first domain of that id or above. Errors: Invalid (reserved id), NoSuchDomain (none), Fault.</summary>
    internal static XenError Get(GuestAddress at, ushort first)
    {
        if (first >= DomainIds.FirstReserved)
        {
            return XenError.Invalid;
        }

        int id = Next(first);
        if (id < 0)
        {
            return XenError.NoSuchDomain;
        }

        DomainInfo info = Describe(ref DomainTable.At(id));
        bool done = GuestMemory.TryWrite(at.Add(DomctlHypercall.DomainOffset), (ushort)id) && GuestMemory.TryWrite(at.Add(DomctlHypercall.HeaderBytes), in info);
        return done ? XenError.None : XenError.Fault;
    }

    /// <summary>Id of the first domain from there on, or -1. Domains that are being destroyed count.</summary>
    internal static int Next(int first)
    {
        for (int id = first; id < DomainTable.Count; id++)
        {
            if (DomainTable.IsTaken((uint)id))
            {
                return id;
            }
        }

        return -1;
    }

    internal static DomainInfo Describe(ref Domain domain)
    {
        DomainInfo info = new()
        {
            Domain = domain.Id,
            Flags = FlagsOf(ref domain),
            TotalPages = domain.Memory.TotalPages,
            MaximumPages = domain.Memory.MaximumPages,
            OutstandingPages = domain.Memory.StakedPages,
            SharedInfoFrame = domain.SharedInfo.Value,
            HighestVcpu = domain.VcpuCount == 0 ? DomainInfo.NoVcpu : (uint)domain.VcpuCount - 1,
            SecurityId = domain.Settings.SecurityId,
            Handle = domain.Settings.Handle,
            AddressBits = (byte)CpuFeatures.PhysicalAddressBits,
            MiscellaneousFlags = domain.Settings.RelaxedMsrs ? CreateDomain.RelaxedMsrs : 0,
        };
        bool isBlocked = true;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(id));
            info.ProcessorTime += RunState.ReadNow(ref vcpu).Running;
            if (!vcpu.Schedule.IsUp)
            {
                continue;
            }

            info.OnlineVcpus++;
            isBlocked &= vcpu.Schedule.IsBlocked;
            info.Flags |= vcpu.Schedule.RunsOn >= 0 ? DomainInfo.Running : 0;
        }

        info.Flags |= isBlocked ? DomainInfo.Blocked : 0;
        return info;
    }

    /// <summary>Errors: Fault, Invalid (no such vcpu).</summary>
    internal static XenError GetVcpu(DomainControl control, GuestAddress at)
    {
        XenError error = FindVcpu(control, at, out uint id, out int index);
        if (error != XenError.None)
        {
            return error;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        VcpuStatus status = new()
        {
            Vcpu = id,
            Online = vcpu.Schedule.IsUp ? (byte)1 : (byte)0,
            Blocked = vcpu.Schedule.IsBlocked ? (byte)1 : (byte)0,
            Running = vcpu.Schedule.RunsOn >= 0 ? (byte)1 : (byte)0,
            ProcessorTime = RunState.ReadNow(ref vcpu).Running,
            Processor = (uint)Math.Max(Math.Max(vcpu.Schedule.RunsOn, vcpu.Schedule.LoadedOn), 0),
        };
        return GuestMemory.TryWrite(at, in status) ? XenError.None : XenError.Fault;
    }

    /// <summary>Errors: Fault, Invalid (no such vcpu).</summary>
    internal static XenError GetVcpuCounts(DomainControl control, GuestAddress at)
    {
        XenError error = FindVcpu(control, at, out uint id, out int index);
        if (error != XenError.None)
        {
            return error;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        VcpuCounts counts = new()
        {
            Vcpu = id,
            StolenTime = RunState.ReadNow(ref vcpu).Runnable,
            Hypercalls = vcpu.Counters.Hypercalls,
            PageFaults = vcpu.Context.PageFaults,
            Upcalls = vcpu.Counters.Upcalls,
        };
        return GuestMemory.TryWrite(at, in counts) ? XenError.None : XenError.Fault;
    }

    /// <summary>The name of a domain that was started with the machine. Errors: Fault, NoData (it has none).</summary>
    internal static XenError GetName(DomainControl control, GuestAddress at)
    {
        ReadOnlySpan<byte> name = DomainConsoles.NameOf(ref control.Domain);
        if (name.Length is 0 or >= DomainName.Bytes)
        {
            return XenError.NoData;
        }

        DomainName text = default;
        name.CopyTo(text);
        return GuestMemory.TryWrite(at, in text) ? XenError.None : XenError.Fault;
    }

    /// <summary>The vcpu whose id the arguments begin with, by its index in the table. Errors: Fault, Invalid (no such vcpu).</summary>
    private static XenError FindVcpu(DomainControl control, GuestAddress at, out uint id, out int index)
    {
        index = -1;
        if (!GuestMemory.TryRead(at, out id))
        {
            return XenError.Fault;
        }

        index = control.Domain.VcpuIndex(id);
        return index >= 0 ? XenError.None : XenError.Invalid;
    }

    private static uint FlagsOf(ref Domain domain)
    {
        uint flags = domain.HasShutdownCode && domain.State is not (DomainState.Building or DomainState.Running)
            ? DomainInfo.ShutDown | ((uint)domain.ShutdownCode << DomainInfo.ShutdownShift) : 0;
        flags |= domain.State == DomainState.Dead ? DomainInfo.Dying : 0;
        flags |= domain.Settings.PauseCount > 0 ? DomainInfo.Paused : 0;
        return flags | (domain.Settings.IsService ? DomainInfo.XenstoreDomain : 0);
    }
}
