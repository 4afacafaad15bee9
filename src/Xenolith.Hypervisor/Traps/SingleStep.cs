// One instruction of a guest's kernel before an event.
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>
/// Resumes a vcpu with the trap flag set, unknown to its guest. Whatever enters the hypervisor next ends the step; <c>VcpuWork.Step</c>
/// keeps the quick paths of the assembly away until then.
/// </summary>
internal static class SingleStep
{
    private const int DebugVector = 1;
    private const ulong Breakpoints = 0xF;
    private const byte PushFlags = 0x9C;
    private const byte OperandSize = 0x66;

    /// <summary>False when a step has just been made, or cannot be made unseen: the guest steps itself, or would push its flags.</summary>
    internal static bool TryBegin(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        ref GuestRegisters registers = ref context.Registers;
        if (vcpu.Traps.HasStepped || context.InKernel == 0 || (registers.Rflags & RflagsBits.Trap) != 0
            || PushesFlags(new GuestAddress(registers.Rip)))
        {
            vcpu.Traps.HasStepped = false;
            return false;
        }

        context.Work |= VcpuWork.Step;
        registers.Rflags |= RflagsBits.Trap;

        // SYSRET may trap before the instruction: IRETQ does not.
        registers.Vector = 0;
        return true;
    }

    /// <summary>PUSHF, with or without a prefix for 16 bits. An instruction that cannot be read cannot be stepped over either.</summary>
    private static bool PushesFlags(GuestAddress instruction)
        => !GuestMemory.TryRead(instruction, out byte first)
            || first == PushFlags
            || (first == OperandSize && (!GuestMemory.TryRead(instruction.Add(1), out byte second) || second == PushFlags));

    /// <summary>Something entered the hypervisor during a step. True: it was nothing but the step's own trap.</summary>
    internal static bool End(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        ref GuestRegisters registers = ref context.Registers;
        context.Work &= ~VcpuWork.Step;
        registers.Rflags &= ~RflagsBits.Trap;
        if (registers.Vector == GuestRegisters.SyscallVector)
        {
            registers.R11 &= ~RflagsBits.Trap;
        }

        if (registers.Vector != DebugVector)
        {
            return false;
        }

        vcpu.Traps.HasStepped = true;
        if ((DebugRegisters.Status & Breakpoints) != 0)
        {
            return false;
        }

        DebugRegisters.Status = DebugRegisters.StatusReset;
        return true;
    }
}
