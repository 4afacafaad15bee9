// fpu_taskswitch: the guest's CR0.TS.
using Xenolith.Hypervisor.Traps;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 5. RDI = 1 set, 0 clear.</summary>
internal static class FpuTaskSwitchHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        PrivilegedInstructions.SetTaskSwitched(ref call.Vcpu, call.Argument0 != 0);
        return HypercallResult.Success;
    }
}
