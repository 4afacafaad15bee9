// Where the entry assembly hands over to C#.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Hypercalls;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>One method per way in. Each leaves the vcpu in a state that <see cref="ReturnToGuest"/> can go on from.</summary>
public static class TrapDispatcher
{
    private const int DebugVector = 1;
    private const int NmiVector = 2;
    private const int DeviceNotAvailable = 7;
    private const int DoubleFault = 8;
    private const int InvalidOpcode = 6;
    private const int GeneralProtection = 13;
    private const int PageFaultVector = 14;
    private const int MachineCheck = 18;
    private const int FirstInterrupt = 32;

    /// <summary>Error code bit of a fault at a gate of the interrupt table.</summary>
    private const uint InterruptTable = 2;

    /// <summary>An exception or interrupt while the guest ran.</summary>
    public static void GuestTrap(int index)
    {
        LockOrder.AssertHeld();
        ref Vcpu vcpu = ref VcpuTable.At(index);
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        int vector = (int)registers.Vector;
        if ((vcpu.Context.Work & VcpuWork.Step) != 0 && SingleStep.End(ref vcpu))
        {
            return;
        }

        if (vector == PageFaultVector)
        {
            PageFaults.Handle(ref vcpu, ControlRegisters.Cr2, registers.ErrorCode);
        }
        else if (vector >= FirstInterrupt)
        {
            Interrupts.Handle(vector);
        }
        else
        {
            HandleException(ref vcpu, vector, registers.ErrorCode);
        }

        Memory.TlbClock.Settle();
    }

    /// <summary>A hypercall other than a quick iret.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GuestHypercall(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        if ((vcpu.Context.Work & VcpuWork.Step) != 0)
        {
            SingleStep.End(ref vcpu);
        }

        HypercallDispatcher.Run(ref vcpu);
        Memory.TlbClock.Settle();
    }

    /// <summary>The iret hypercall when the quick way in assembly was not open.</summary>
    public static int GuestIret(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        if ((vcpu.Context.Work & VcpuWork.Step) != 0)
        {
            SingleStep.End(ref vcpu);
        }

        IretHypercall.Run(ref vcpu);
        return index;
    }

    /// <summary>A system call of user mode when the quick way was not open.</summary>
    public static int GuestSyscall(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        ref VcpuContext context = ref vcpu.Context;
        if (context.SyscallCallback == 0)
        {
            RaiseUndefinedSyscall(ref vcpu);
            return index;
        }

        context.Registers.Rflags &= ~RflagsBits.Direction;
        Bounce.Enter(ref vcpu, context.SyscallCallback, context.SyscallMasksEvents != 0, false, 0);
        return index;
    }

    /// <summary>SYSCALL from compatibility mode.</summary>
    public static int GuestSyscall32(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        if (vcpu.Traps.Syscall32Callback == 0)
        {
            RaiseUndefinedSyscall(ref vcpu);
            return index;
        }

        Bounce.Enter(ref vcpu, vcpu.Traps.Syscall32Callback, vcpu.Traps.Syscall32MasksEvents, false, 0);
        return index;
    }

    /// <summary>The quick system call could not write its frame.</summary>
    public static int GuestBounceFault(int index)
    {
        DomainCrash.Crash(ref VcpuTable.At(index), "the guest's kernel stack cannot take the frame of a system call or page fault"u8);
        return index;
    }

    /// <summary>Something waits before the guest may go on: gives the index of the vcpu that does.</summary>
    public static int ExitWork(int index) => ReturnToGuest.Run(index);

    /// <summary>The IRETQ to the guest faulted: the guest gets that exception where it was about to run.</summary>
    public static int GuestIretFault(int index)
    {
        ref Vcpu vcpu = ref VcpuTable.At(index);
        ref GuestRegisters registers = ref vcpu.Context.Registers;
        int vector = (int)registers.Vector;
        if ((vcpu.Context.Work & VcpuWork.Step) != 0)
        {
            SingleStep.End(ref vcpu);
        }

        if (vector == PageFaultVector)
        {
            PageFaults.Handle(ref vcpu, ControlRegisters.Cr2, registers.ErrorCode);
        }
        else
        {
            Bounce.Deliver(ref vcpu, vector, HasErrorCode(vector), registers.ErrorCode);
        }

        return index;
    }

    /// <summary>A trap in the hypervisor itself: an interrupt of the idle loop, an access on a guest's account, or a bug.</summary>
    public static void HypervisorTrap(ref GuestRegisters frame)
    {
        int vector = (int)frame.Vector;
        if (vector >= FirstInterrupt)
        {
            Interrupts.Handle(vector);
            return;
        }

        if (vector == DebugVector)
        {
            // A guest can arrange a debug trap on the entry path; it is nobody's business there.
            DebugRegisters.Status = DebugRegisters.StatusReset;
            frame.Rflags &= ~RflagsBits.Trap;
            return;
        }

        if (vector == NmiVector)
        {
            return;
        }

        CrashReport.UnexpectedTrap(ref frame);
    }

    private static void HandleException(ref Vcpu vcpu, int vector, uint errorCode)
    {
        switch (vector)
        {
            case DebugVector:
                vcpu.Traps.Dr6 |= DebugRegisters.Status & ~DebugRegisters.StatusReset;
                DebugRegisters.Status = DebugRegisters.StatusReset;
                Bounce.Deliver(ref vcpu, vector, false, 0);
                break;
            case NmiVector:
                break;
            case InvalidOpcode:
                if (!PrivilegedInstructions.TryForcedCpuId(ref vcpu))
                {
                    Bounce.Deliver(ref vcpu, vector, false, 0);
                }

                break;
            case DeviceNotAvailable:
                vcpu.Context.VirtualTaskSwitched = 0;
                Bounce.Deliver(ref vcpu, vector, false, 0);
                break;
            case GeneralProtection:
                HandleGeneralProtection(ref vcpu, errorCode);
                break;
            case DoubleFault:
            case MachineCheck:
                CrashReport.UnexpectedTrap(ref vcpu.Context.Registers);
                break;
            default:
                Bounce.Deliver(ref vcpu, vector, HasErrorCode(vector), errorCode);
                break;
        }
    }

    private static void HandleGeneralProtection(ref Vcpu vcpu, uint errorCode)
    {
        const uint External = 1;
        if ((errorCode & (External | InterruptTable)) == InterruptTable)
        {
            SoftwareInterrupt(ref vcpu, errorCode);
        }
        else if (errorCode != 0 || !PrivilegedInstructions.TryEmulate(ref vcpu))
        {
            Bounce.Deliver(ref vcpu, GeneralProtection, true, errorCode);
        }
    }

    /// <summary>
    /// INT n. The instruction tells the vector: some processors (QEMU's translator among them) report another one in the error code.
    /// </summary>
    private static void SoftwareInterrupt(ref Vcpu vcpu, uint errorCode)
    {
        const byte IntOpcode = 0xCD;
        ref VcpuContext context = ref vcpu.Context;
        int vector = (int)(errorCode >> 3) & 0xFF;
        if (GuestMemory.TryRead(new GuestAddress(context.Registers.Rip), out ushort instruction) && (instruction & 0xFF) == IntOpcode)
        {
            vector = instruction >> 8;
            errorCode = ((uint)vector << 3) | InterruptTable;
        }

        TrapInfo handler = vcpu.Traps.Table[vector];
        int privilege = context.InKernel != 0 ? 1 : 3;
        if (handler.Address != 0 && (handler.Flags & 3) >= privilege)
        {
            context.Registers.Rip += 2;
            Bounce.Deliver(ref vcpu, vector, false, 0);
        }
        else
        {
            Bounce.Deliver(ref vcpu, GeneralProtection, true, errorCode);
        }
    }

    private static void RaiseUndefinedSyscall(ref Vcpu vcpu)
    {
        vcpu.Context.Registers.Rip -= 2;
        Bounce.Deliver(ref vcpu, InvalidOpcode, false, 0);
    }

    private static bool HasErrorCode(int vector) => vector is 8 or (>= 10 and <= 14) or 17;
}
