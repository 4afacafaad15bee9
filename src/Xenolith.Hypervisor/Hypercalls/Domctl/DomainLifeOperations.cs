// domctl: a domain's beginning and end, and whether it runs.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>createdomain, max_vcpus, pausedomain, resumedomain, destroydomain.</summary>
internal static class DomainLifeOperations
{
    private const uint GrantVersion1 = 1;

    /// <summary>Limits of Xen's defaults: what is asked for up to here is accepted, and given as far as this hypervisor has it.</summary>
    private const int MapTrackFramesLimit = 1024;

    /// <summary>
    /// A new domain without vcpus and memory, paused once. An id of 0 or a reserved one has the next free one chosen. Errors: Fault,
    /// Invalid (settings that no domain here can have), NoDevice (no such pool), Exists, NoMemory (also: no id is free).
    /// </summary>
    internal static XenError Create(GuestAddress at, ushort requested)
    {
        GuestAddress idAt = at.Add(DomctlHypercall.DomainOffset);
        if (!GuestMemory.TryRead(at.Add(DomctlHypercall.HeaderBytes), out CreateDomain wanted))
        {
            return XenError.Fault;
        }

        XenError error = Check(in wanted);
        if (error != XenError.None)
        {
            return error;
        }

        // Once the domain exists its id must reach the caller.
        if (!GuestMemory.TryWrite(idAt, requested))
        {
            return XenError.Fault;
        }

        ushort id = requested;
        error = requested is > 0 and < DomainIds.FirstReserved ? DomainCreation.TryCreate(id) : DomainCreation.TryCreate(out id);
        if (error != XenError.None)
        {
            return error == XenError.NoSpace ? XenError.NoMemory : error;
        }

        ref DomainSettings settings = ref DomainTable.At(id).Settings;
        settings.Handle = wanted.Handle;
        settings.SecurityId = wanted.SecurityId;
        settings.MaximumVcpus = wanted.MaximumVcpus;
        settings.HighestEventPort = Math.Min(wanted.MaximumEventPort, settings.HighestEventPort);
        settings.MaximumGrantFrames = wanted.MaximumGrantFrames < 0 ? DomainGrants.MaximumFrames : (uint)wanted.MaximumGrantFrames;
        settings.MaximumHandlePages = Math.Min((uint)wanted.MaximumMapTrackFrames, DomainGrants.MaximumHandlePages);
        settings.IsService = (wanted.Flags & CreateDomain.XenstoreDomain) != 0;
        settings.RelaxedMsrs = (wanted.MiscellaneousFlags & CreateDomain.RelaxedMsrs) != 0;
        settings.PauseCount = 1;
        GuestMemory.TryWrite(idAt, id);
        return XenError.None;
    }

    /// <summary>
    /// Makes the vcpus, as many as createdomain was told. Vcpus that there are already cost a repetition nothing. Errors: Fault, Invalid
    /// (another number, or the domain has ended), NoMemory.
    /// </summary>
    internal static XenError SetVcpuCount(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint count))
        {
            return XenError.Fault;
        }

        ref Domain domain = ref control.Domain;
        if (count != domain.Settings.MaximumVcpus || domain.State is not (DomainState.Building or DomainState.Running))
        {
            return XenError.Invalid;
        }

        while ((uint)domain.VcpuCount < count)
        {
            XenError error = DomainCreation.TryAddVcpu(ref domain);
            if (error != XenError.None)
            {
                return error;
            }

            if (domain.Settings.PauseCount > 0)
            {
                Scheduler.Pause(ref VcpuTable.At(domain.VcpuIndex((uint)domain.VcpuCount - 1)));
            }
        }

        return XenError.None;
    }

    /// <summary>Errors: Invalid (the caller itself), Overflow.</summary>
    internal static XenError Pause(ref HypercallCall call, DomainControl control)
        => control.Domain.Id == call.Domain.Id ? XenError.Invalid : DomainPause.TryPause(ref control.Domain);

    /// <summary>
    /// Ends the domain; a call for one that is being destroyed goes on with it. Errors: Invalid (the caller itself, Domain 0), Restart.
    /// </summary>
    internal static XenError Destroy(ref HypercallCall call, DomainControl control)
    {
        if (control.Domain.Id == call.Domain.Id)
        {
            return XenError.Invalid;
        }

        Preemption preemption = Preemption.Start();
        return DomainDestruction.TryAdvance(ref control.Domain, ref preemption);
    }

    /// <summary>Lets a domain that has shut down go on where it was. Errors: Invalid (the caller itself, or it has not shut down).</summary>
    internal static XenError Resume(ref HypercallCall call, DomainControl control)
        => control.Domain.Id == call.Domain.Id ? XenError.Invalid : DomainShutdown.Resume(ref control.Domain);

    private static XenError Check(in CreateDomain wanted)
    {
        bool isParavirtual = (wanted.Flags & ~CreateDomain.XenstoreDomain) == 0 && wanted.IommuOptions == 0 && wanted.TraceBytes == 0
            && wanted.EmulationFlags == 0 && (wanted.MiscellaneousFlags & ~CreateDomain.RelaxedMsrs) == 0;
        if (!isParavirtual || wanted.MaximumVcpus is 0 or > Domain.MaximumVcpus || wanted.GrantOptions != GrantVersion1
            || wanted.MaximumGrantFrames is 0 or > DomainGrants.MaximumFrames || wanted.MaximumMapTrackFrames > MapTrackFramesLimit)
        {
            return XenError.Invalid;
        }

        return wanted.CpuPool == 0 ? XenError.None : XenError.NoDevice;
    }
}
