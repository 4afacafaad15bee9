// set_timer_op: the older form of the single-shot timer.
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 15. RDI = absolute nanoseconds, 0 = cancel.</summary>
internal static class SetTimerOpHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (call.Argument0 == 0)
        {
            call.Vcpu.Time.SingleShot = 0;
            Timers.Update(ref call.Vcpu);
        }
        else
        {
            VcpuOpHypercall.SetSingleShot(ref call.Vcpu, call.Argument0);
        }

        return HypercallResult.Success;
    }
}
