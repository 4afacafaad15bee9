// What happens between the end of the hypervisor's work and the guest's next instruction.
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Scheduling, then exceptions, then NMI, then events; each delivered at most once.</summary>
internal static class ReturnToGuest
{
    private const int NmiVector = 2;

    /// <summary>Settles all that waits and returns the index of the vcpu whose guest runs next.</summary>
    internal static int Run(int index)
    {
        LockOrder.AssertHeld();
        TlbClock.Settle();
        while (true)
        {
            index = Scheduler.Choose(index);
            ref Vcpu vcpu = ref VcpuTable.At(index);
            ref VcpuContext context = ref vcpu.Context;
            if ((context.Work & VcpuWork.Exception) != 0)
            {
                context.Work &= ~VcpuWork.Exception;
                vcpu.Traps.HasPending = false;
                Bounce.Deliver(ref vcpu, vcpu.Traps.PendingVector, vcpu.Traps.PendingHasErrorCode, vcpu.Traps.PendingErrorCode);
            }

            if ((context.Work & VcpuWork.Runstate) != 0 && context.InKernel != 0)
            {
                context.Work &= ~VcpuWork.Runstate;
                RunState.Publish(ref vcpu);
            }

            if (vcpu.Traps.NmiPending && !vcpu.Traps.NmiMasked)
            {
                vcpu.Traps.NmiPending = false;
                DeliverNmi(ref vcpu);
            }

            if (VcpuInfoPage.IsDeliverable(ref vcpu) && (context.Work & VcpuWork.Stop) == 0)
            {
                if (vcpu.Traps.EventCallback == 0)
                {
                    DomainCrash.Crash(ref vcpu, "event without an event callback"u8);
                }
                else if (!SelfEvents.IsStream(ref vcpu) || !SingleStep.TryBegin(ref vcpu))
                {
                    vcpu.Counters.Upcalls++;
                    Bounce.Enter(ref vcpu, vcpu.Traps.EventCallback, true, false, 0);
                }
            }

            if ((context.Work & (VcpuWork.Stop | VcpuWork.Reschedule)) == 0)
            {
                return index;
            }
        }
    }

    private static void DeliverNmi(ref Vcpu vcpu)
    {
        ulong handler = vcpu.Traps.NmiCallback != 0 ? vcpu.Traps.NmiCallback : vcpu.Traps.Table[NmiVector].Address;
        if (handler != 0)
        {
            vcpu.Traps.NmiMasked = true;
            vcpu.Context.Work |= VcpuWork.Nmi;
            Bounce.Enter(ref vcpu, handler, true, false, 0);
        }
    }
}
