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

        DomainShutdown.Request(ref call.Vcpu, (ShutdownReason)reason);
        return XenError.None;
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

            if (!EventPorts.IsOpen(ref call.Domain, port))
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
            Timers.Add(timeout);
        }

        call.Vcpu.Events.IsPolling = true;
        call.Vcpu.Events.PolledPort = count == 1 ? single : 0;
        Scheduler.Block(ref call.Vcpu);
        return XenError.None;
    }
}
