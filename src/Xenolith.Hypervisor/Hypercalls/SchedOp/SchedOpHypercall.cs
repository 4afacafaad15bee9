// sched_op: yield, block, poll, shutdown.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 29. RDI = operation, RSI = arguments (public sched.h).</summary>
internal static class SchedOpHypercall
{
    private const uint MaximumPolledPorts = 128;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        GuestAddress at = new(call.Argument1);
        switch (call.Argument0)
        {
            case 0:
                Scheduler.Yield(ref call.Vcpu);
                return HypercallResult.Success;
            case 1:
                Block(ref call.Vcpu);
                return HypercallResult.Success;
            case 2: return HypercallResult.From(Shutdown(ref call, at));
            case 3: return HypercallResult.From(Poll(ref call, at));
            case 4: return HypercallResult.From(RemoteShutdown(ref call, at));
            case 5: return HypercallResult.From(SetShutdownCode(ref call, at));
            case 6: return Watchdog(ref call, at);
            case 7: return HypercallResult.From(PinOverride(ref call, at));
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    private static void Block(ref Vcpu vcpu)
    {
        VcpuInfoPage.SetMask(ref vcpu, 0);
        if (!VcpuInfoPage.IsPending(ref vcpu))
        {
            Scheduler.Block(ref vcpu);
        }
    }

    private static XenError Shutdown(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint reason))
        {
            return XenError.Fault;
        }

        DomainShutdown.Request(ref call.Vcpu, (ShutdownReason)(byte)reason);
        return XenError.None;
    }

    /// <summary>struct sched_remote_shutdown: the domain @0, the reason @4. Errors: Fault, NoSuchDomain, NotPermitted.</summary>
    private static XenError RemoteShutdown(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ushort id) || !GuestMemory.TryRead(at.Add(4), out uint reason))
        {
            return XenError.Fault;
        }

        if (!DomainTable.Exists(id))
        {
            return XenError.NoSuchDomain;
        }

        if (id == call.Domain.Id ? !DomainControl.IsController(ref call.Domain) : !DomainControl.MayServe(ref call.Domain, id))
        {
            return XenError.NotPermitted;
        }

        DomainShutdown.Request(ref DomainTable.At(id), (ShutdownReason)(byte)reason);
        return XenError.None;
    }

    /// <summary>The domain says why it is going to crash or stop, before it does.</summary>
    private static XenError SetShutdownCode(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint reason))
        {
            return XenError.Fault;
        }

        DomainShutdown.SetCode(ref call.Domain, (byte)reason);
        return XenError.None;
    }

    /// <summary>struct sched_watchdog: id @0, seconds @4. The result is the id of a new watchdog, else 0.</summary>
    private static HypercallResult Watchdog(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint id) || !GuestMemory.TryRead(at.Add(4), out uint seconds))
        {
            return HypercallResult.From(XenError.Fault);
        }

        XenError error = Watchdogs.TrySet(ref call.Domain, id, seconds, out uint newId);
        return error == XenError.None ? HypercallResult.Done(newId) : HypercallResult.From(error);
    }

    /// <summary>
    /// struct sched_pin_override: the processor, negative = no longer. Errors: NotPermitted, Fault, Invalid (no such processor, not
    /// one that the vcpu may use, or not pinned), Busy (pinned already).
    /// </summary>
    private static XenError PinOverride(ref HypercallCall call, GuestAddress at)
    {
        if (!call.Domain.IsPrivileged)
        {
            return XenError.NotPermitted;
        }

        if (!GuestMemory.TryRead(at, out int processor))
        {
            return XenError.Fault;
        }

        return processor < 0 ? SchedulerParameters.TryUnpin(ref call.Vcpu) : SchedulerParameters.TryPin(ref call.Vcpu, processor);
    }

    /// <summary>Waits until one of the ports is pending, masked or not; the mask is left alone.</summary>
    private static XenError Poll(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong ports) || !GuestMemory.TryRead(at.Add(8), out uint count) || !GuestMemory.TryRead(at.Add(16), out ulong timeout))
        {
            return XenError.Fault;
        }

        if (count > MaximumPolledPorts)
        {
            return XenError.Invalid;
        }

        uint single = 0;
        for (uint i = 0; i < count; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(ports + (i * 4)), out uint port))
            {
                return XenError.Fault;
            }

            if (port >= DomainEvents.MaximumPorts)
            {
                return XenError.Invalid;
            }

            if (EventPorts.IsPending(ref call.Domain, port))
            {
                return XenError.None;
            }

            single = port;
        }

        if (VcpuInfoPage.IsDeliverable(ref call.Vcpu))
        {
            return XenError.None;
        }

        if (timeout != 0)
        {
            if (timeout <= SystemTime.Now())
            {
                return XenError.None;
            }

            call.Vcpu.Time.PollTimeout = timeout;
            Timers.Update(ref call.Vcpu);
        }

        call.Vcpu.Events.IsPolling = true;
        call.Vcpu.Events.PolledPort = count == 1 ? single : 0;
        Scheduler.Block(ref call.Vcpu);
        return XenError.None;
    }
}
