// The hypercall table, in the order of the ABI.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>From a number to its handler, and from the handler's result to the guest's registers.</summary>
internal static class HypercallDispatcher
{
    private const ulong SyscallBytes = 2;

    /// <summary>Runs the hypercall in the registers of the vcpu.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Run(ref Vcpu vcpu)
    {
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        ulong number = registers.Rax;
        vcpu.Traps.LastHypercall = number;
        vcpu.Counters.Hypercalls++;
        HypercallCall call = new(ref vcpu, ref vcpu.Domain, in registers);
        HypercallResult result = Execute((HypercallNumber)number, ref call);
        if (!result.IsContinuation)
        {
            registers.Rax = (ulong)result.Value;
            return;
        }

        // The guest executes its SYSCALL again; interrupts and events are taken in between.
        registers.Rip -= SyscallBytes;
        registers.Rax = number;
        registers.Rdi = call.Argument0;
        registers.Rsi = call.Argument1;
        registers.Rdx = call.Argument2;
        registers.R10 = call.Argument3;
        registers.R8 = call.Argument4;
    }

    internal static HypercallResult Execute(HypercallNumber number, ref HypercallCall call)
    {
        LockOrder.AssertHeld();
        switch (number)
        {
            case HypercallNumber.SetTrapTable: return SetTrapTableHypercall.Handle(ref call);
            case HypercallNumber.MmuUpdate: return MmuUpdateHypercall.Handle(ref call);
            case HypercallNumber.SetGdt: return SetGdtHypercall.Handle(ref call);
            case HypercallNumber.StackSwitch: return StackSwitchHypercall.Handle(ref call);
            case HypercallNumber.FpuTaskSwitch: return FpuTaskSwitchHypercall.Handle(ref call);
            case HypercallNumber.PlatformOp: return PlatformOpHypercall.Handle(ref call);
            case HypercallNumber.SetDebugReg: return DebugRegisterHypercall.HandleSet(ref call);
            case HypercallNumber.GetDebugReg: return DebugRegisterHypercall.HandleGet(ref call);
            case HypercallNumber.UpdateDescriptor: return UpdateDescriptorHypercall.Handle(ref call);
            case HypercallNumber.MemoryOp: return MemoryOpHypercall.Handle(ref call);
            case HypercallNumber.Multicall: return MulticallHypercall.Handle(ref call);
            case HypercallNumber.UpdateVaMapping: return UpdateVaMappingHypercall.Handle(ref call);
            case HypercallNumber.SetTimerOp: return SetTimerOpHypercall.Handle(ref call);
            case HypercallNumber.XenVersion: return XenVersionHypercall.Handle(ref call);
            case HypercallNumber.ConsoleIo: return ConsoleIoHypercall.Handle(ref call);
            case HypercallNumber.GrantTableOp: return GrantTableOpHypercall.Handle(ref call);
            case HypercallNumber.VmAssist: return VmAssistHypercall.Handle(ref call);
            case HypercallNumber.UpdateVaMappingOtherDomain: return UpdateVaMappingHypercall.HandleForOtherDomain(ref call);
            case HypercallNumber.Iret: return IretHypercall.Handle(ref call);
            case HypercallNumber.VcpuOp: return VcpuOpHypercall.Handle(ref call);
            case HypercallNumber.SetSegmentBase: return SetSegmentBaseHypercall.Handle(ref call);
            case HypercallNumber.MmuExtendedOp: return MmuExtendedHypercall.Handle(ref call);
            case HypercallNumber.NmiOp: return NmiOpHypercall.Handle(ref call);
            case HypercallNumber.SchedOp: return SchedOpHypercall.Handle(ref call);
            case HypercallNumber.CallbackOp: return CallbackOpHypercall.Handle(ref call);
            case HypercallNumber.EventChannelOp: return EventChannelOpHypercall.Handle(ref call);
            case HypercallNumber.PhysdevOp: return PhysdevOpHypercall.Handle(ref call);

            case HypercallNumber.Sysctl: return SysctlHypercall.Handle(ref call);
            case HypercallNumber.Domctl: return DomctlHypercall.Handle(ref call);

            // No performance counters for guests, which would tell of others: Linux takes this answer for "switched off".
            case HypercallNumber.XenpmuOp: return HypercallResult.From(XenError.NotSupported);
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }
}
