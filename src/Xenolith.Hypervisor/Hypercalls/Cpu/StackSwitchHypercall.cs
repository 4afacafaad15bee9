// stack_switch: the kernel stack for the next entry from user mode.
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 3. RDI = SS, RSI = RSP.</summary>
internal static class StackSwitchHypercall
{
    private const ulong FrameBytes = 64;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        Apply(ref call.Vcpu, call.Argument0, call.Argument1);
        return HypercallResult.Success;
    }

    /// <summary>Any value is stored; the quick system call may use it only when the frame below lies in the guest's range.</summary>
    internal static void Apply(ref Vcpu vcpu, ulong ss, ulong sp)
    {
        vcpu.Traps.KernelSs = ss | 3;
        vcpu.Traps.KernelSp = sp;
        ulong aligned = sp & ~15UL;
        vcpu.Context.KernelStack = new GuestAddress(aligned - FrameBytes).IsGuestRange(FrameBytes) ? aligned : 0;
    }
}
