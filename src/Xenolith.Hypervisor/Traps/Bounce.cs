// Delivering exceptions and callbacks to a guest.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Builds the frame on the guest's kernel stack and points the vcpu at the handler.</summary>
internal static class Bounce
{
    private const ulong ClearedOnEntry = RflagsBits.AlignmentCheck | RflagsBits.Virtual8086 | RflagsBits.Resume | RflagsBits.NestedTask | RflagsBits.Trap;

    /// <summary>Delivers an exception through the guest's trap table; without a handler the domain ends.</summary>
    internal static void Deliver(ref Vcpu vcpu, int vector, bool hasErrorCode, uint errorCode)
    {
        TrapInfo handler = vcpu.Traps.Table[vector];
        if (handler.Address == 0)
        {
            vcpu.Context.Registers.Vector = (uint)vector;
            vcpu.Context.Registers.ErrorCode = errorCode;
            DomainCrash.Crash(ref vcpu, "exception without a handler"u8);
            return;
        }

        Enter(ref vcpu, handler.Address, (handler.Flags & GuestTrapTable.MasksEvents) != 0, hasErrorCode, errorCode);
    }

    /// <summary>Has an exception delivered at the return to the guest.</summary>
    internal static void Inject(ref Vcpu vcpu, int vector, bool hasErrorCode = false, uint errorCode = 0)
    {
        vcpu.Traps.HasPending = true;
        vcpu.Traps.PendingVector = (byte)vector;
        vcpu.Traps.PendingHasErrorCode = hasErrorCode;
        vcpu.Traps.PendingErrorCode = errorCode;
        vcpu.Context.Work |= VcpuWork.Exception;
    }

    /// <summary>Enters the guest's kernel at an address with a frame of where it was.</summary>
    internal static void Enter(ref Vcpu vcpu, ulong handler, bool maskEvents, bool hasErrorCode, uint errorCode)
    {
        ref VcpuContext context = ref vcpu.Context;
        ref GuestRegisters registers = ref context.Registers;
        bool fromKernel = context.InKernel != 0;
        ulong stack = registers.Rsp;
        if (!fromKernel)
        {
            ModeSwitch.ToKernel(ref vcpu);
            stack = vcpu.Traps.KernelSp;
        }

        stack &= ~15UL;
        byte mask = VcpuInfoPage.GetMask(ref vcpu);
        ulong cs = ((fromKernel ? registers.Cs & ~3UL : registers.Cs) & 0xFFFF) | ((ulong)mask << 32);
        ulong flags = registers.Rflags & ~(RflagsBits.InterruptEnable | RflagsBits.IoPrivilegeMask);
        flags |= mask == 0 ? RflagsBits.InterruptEnable : 0;
        bool written;
        if (hasErrorCode)
        {
            BounceFrameWithError frame;
            frame.Rcx = registers.Rcx;
            frame.R11 = registers.R11;
            frame.ErrorCode = errorCode;
            frame.Rip = registers.Rip;
            frame.Cs = cs;
            frame.Rflags = flags;
            frame.Rsp = registers.Rsp;
            frame.Ss = registers.Ss;
            stack -= 64;
            written = GuestMemory.TryWrite(new GuestAddress(stack), in frame);
        }
        else
        {
            BounceFrame frame;
            frame.Rcx = registers.Rcx;
            frame.R11 = registers.R11;
            frame.Rip = registers.Rip;
            frame.Cs = cs;
            frame.Rflags = flags;
            frame.Rsp = registers.Rsp;
            frame.Ss = registers.Ss;
            stack -= 56;
            written = GuestMemory.TryWrite(new GuestAddress(stack), in frame);
        }

        if (!written)
        {
            DomainCrash.Crash(ref vcpu, "the guest's kernel stack cannot take an exception frame"u8);
            return;
        }

        if (maskEvents)
        {
            VcpuInfoPage.SetMask(ref vcpu, 1);
        }

        registers.Rflags = (registers.Rflags & ~ClearedOnEntry) | RflagsBits.InterruptEnable;
        registers.Cs = Selectors.FlatCode64;
        registers.Ss = Selectors.FlatData;
        registers.Rip = handler;
        registers.Rsp = stack;

        // RCX and R11 are on the stack: the exit may use SYSRET, which loses them.
        registers.Vector = GuestRegisters.SyscallVector;
    }
}
