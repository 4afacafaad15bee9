// domctl: the registers of a vcpu.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>setvcpucontext and getvcpucontext (struct vcpu_guest_context, public arch-x86/xen.h).</summary>
internal static class VcpuContextOperations
{
    /// <summary>
    /// Gives the vcpu its state; a null pointer takes all of it away. Errors: Fault, Invalid (no such vcpu, the caller's own domain, a
    /// value that no vcpu may have), NotSupported (other tables than the vcpu has already), Restart.
    /// </summary>
    internal static XenError Set(ref HypercallCall call, DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint id) || !GuestMemory.TryRead(at.Add(8), out ulong context))
        {
            return XenError.Fault;
        }

        ref Domain domain = ref control.Domain;
        int index = domain.VcpuIndex(id);
        if (index < 0 || domain.Id == call.Domain.Id)
        {
            return XenError.Invalid;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (!TryHold(ref vcpu, ref domain))
        {
            return XenError.NoSuchDomain;
        }

        Preemption preemption = Preemption.Start();
        XenError error = context == 0
            ? VcpuContextLoader.TryReset(ref call.Vcpu, ref vcpu, ref preemption)
            : VcpuContextLoader.TryLoad(ref call.Vcpu, ref vcpu, new GuestAddress(context), true, ref preemption);
        if (error == XenError.None && vcpu.Id == 0)
        {
            // Who builds a domain clears the page that it shares with the hypervisor, and the time in it.
            VcpuClock.UpdateWall(ref domain);
        }

        Scheduler.Unpause(ref vcpu);
        return error;
    }

    /// <summary>Errors: Fault, Invalid (no such vcpu, the caller's own domain), NoData (it never had any state).</summary>
    internal static XenError Get(ref HypercallCall call, DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint id) || !GuestMemory.TryRead(at.Add(8), out ulong context))
        {
            return XenError.Fault;
        }

        int index = control.Domain.VcpuIndex(id);
        if (index < 0 || control.Domain.Id == call.Domain.Id)
        {
            return XenError.Invalid;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (!vcpu.IsInitialized)
        {
            return XenError.NoData;
        }

        Scheduler.Store(ref vcpu);
        return VcpuContextReader.TryWrite(ref vcpu, new GuestAddress(context)) ? XenError.None : XenError.Fault;
    }

    /// <summary>Keeps the vcpu off its processor until it is unpaused. False: it has been destroyed while it was waited for.</summary>
    internal static bool TryHold(ref Vcpu vcpu, ref Domain domain)
    {
        ulong serial = domain.Settings.Serial;
        Scheduler.Pause(ref vcpu);
        DomainPause.AwaitRest(ref vcpu);
        return DomainTable.Exists(domain.Id, serial);
    }
}
