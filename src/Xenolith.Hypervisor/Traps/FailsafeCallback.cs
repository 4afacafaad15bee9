// A segment of a guest that no longer loads.
using System.Runtime.InteropServices;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>The guest's descriptor table changed while a selector was saved: the register is null now and the guest is told.</summary>
internal static class FailsafeCallback
{
    internal static void Request(ref Vcpu vcpu)
    {
        if (vcpu.Traps.FailsafeCallback == 0)
        {
            DomainCrash.Crash(ref vcpu, "a segment selector does not load and there is no failsafe callback"u8);
            return;
        }

        ref GuestRegisters registers = ref vcpu.Context.Registers;
        bool fromKernel = vcpu.Context.InKernel != 0;
        ModeSwitch.ToKernel(ref vcpu);
        byte mask = VcpuInfoPage.GetMask(ref vcpu);
        Frame frame;
        frame.Rcx = registers.Rcx;
        frame.R11 = registers.R11;
        frame.Ds = vcpu.Traps.Ds;
        frame.Es = vcpu.Traps.Es;
        frame.Fs = vcpu.Traps.Fs;
        frame.Gs = vcpu.Traps.Gs;
        frame.Rip = registers.Rip;
        frame.Cs = (fromKernel ? registers.Cs & ~3UL : registers.Cs) | ((ulong)mask << 32);
        frame.Rflags = (registers.Rflags & ~RflagsBits.InterruptEnable) | (mask == 0 ? RflagsBits.InterruptEnable : 0);
        frame.Rsp = registers.Rsp;
        frame.Ss = registers.Ss;
        ulong stack = ((fromKernel ? registers.Rsp : vcpu.Traps.KernelSp) & ~15UL) - 88;
        if (!GuestMemory.TryWrite(new GuestAddress(stack), in frame))
        {
            DomainCrash.Crash(ref vcpu, "the guest's kernel stack cannot take a failsafe frame"u8);
            return;
        }

        if (vcpu.Traps.FailsafeMasksEvents)
        {
            VcpuInfoPage.SetMask(ref vcpu, 1);
        }

        registers.Rflags = (registers.Rflags & ~(RflagsBits.Trap | RflagsBits.NestedTask | RflagsBits.AlignmentCheck)) | RflagsBits.InterruptEnable;
        registers.Cs = Abi.Selectors.FlatCode64;
        registers.Ss = Abi.Selectors.FlatData;
        registers.Rip = vcpu.Traps.FailsafeCallback;
        registers.Rsp = stack;
        registers.Vector = GuestRegisters.SyscallVector;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Frame
    {
        internal ulong Rcx;
        internal ulong R11;
        internal ulong Ds;
        internal ulong Es;
        internal ulong Fs;
        internal ulong Gs;
        internal ulong Rip;
        internal ulong Cs;
        internal ulong Rflags;
        internal ulong Rsp;
        internal ulong Ss;
    }
}
