// iret: a guest's kernel returns to where a frame on its stack says.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 23, the complete form; the entry assembly has the quick one.</summary>
internal static class IretHypercall
{
    /// <summary>Reached by a multicall only.</summary>
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        Run(ref call.Vcpu);
        return HypercallResult.Done((long)call.Vcpu.Context.Registers.Rax);
    }

    internal static void Run(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        ref GuestRegisters registers = ref context.Registers;
        TlbClock.Settle();
        if (!GuestMemory.TryRead(new GuestAddress(registers.Rsp), out IretContext frame))
        {
            DomainCrash.Crash(ref vcpu, "iret hypercall without a readable frame"u8);
            return;
        }

        if ((frame.Cs & 3) == 3)
        {
            if (context.UserRoot == 0)
            {
                DomainCrash.Crash(ref vcpu, "iret to user mode without a user page table"u8);
                return;
            }

            ModeSwitch.ToUser(ref vcpu);
        }

        registers.Rip = frame.Rip;
        registers.Cs = (frame.Cs & 0xFFFF) | 3;
        registers.Rflags = (frame.Rflags & ~(RflagsBits.IoPrivilegeMask | RflagsBits.Virtual8086)) | RflagsBits.InterruptEnable;
        registers.Rsp = frame.Rsp;
        registers.Ss = (frame.Ss & 0xFFFF) | 3;
        registers.Rax = frame.Rax;
        if ((frame.Flags & IretContext.InSyscall) == 0)
        {
            registers.Rcx = frame.Rcx;
            registers.R11 = frame.R11;
            registers.Vector = 0;
        }
        else
        {
            registers.Rcx = frame.Rip;
            registers.R11 = frame.Rflags;
        }

        VcpuInfoPage.SetMask(ref vcpu, (frame.Rflags & RflagsBits.InterruptEnable) == 0 ? (byte)1 : (byte)0);
        if (vcpu.Traps.NmiMasked)
        {
            vcpu.Traps.NmiMasked = false;
            context.Work &= ~VcpuWork.Nmi;
        }
    }
}
