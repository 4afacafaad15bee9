// CR0, CR2, CR3 and CR4 as a guest's kernel reads and writes them.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>MOV to and from control registers in kernel mode.</summary>
internal static class ControlRegisterEmulation
{
    /// <summary>PAE, MCE, OSFXSR, OSXMMEXCPT: what a guest finds at its start.</summary>
    internal const ulong InitialCr4 = 0x660;

    internal static bool TryRead(ref Vcpu vcpu, int number, out ulong value)
    {
        switch (number)
        {
            case 0:
                value = (ControlRegisters.Cr0 & ~Cr0Bits.TaskSwitched) | (vcpu.Context.VirtualTaskSwitched != 0 ? Cr0Bits.TaskSwitched : 0);
                return true;
            case 2: value = vcpu.Context.Cr2; return true;
            case 3: value = vcpu.Context.KernelRoot; return true;
            case 4: value = vcpu.Traps.Cr4; return true;
            default: value = 0; return false;
        }
    }

    /// <summary>False: the guest gets #GP. <paramref name="again"/>: not done yet, the instruction has to be executed once more.</summary>
    internal static bool TryWrite(ref Vcpu vcpu, int number, ulong value, out bool again)
    {
        again = false;
        switch (number)
        {
            case 0:
                TryRead(ref vcpu, 0, out ulong current);
                if (((current ^ value) & ~Cr0Bits.TaskSwitched) != 0)
                {
                    return false;
                }

                PrivilegedInstructions.SetTaskSwitched(ref vcpu, (value & Cr0Bits.TaskSwitched) != 0);
                return true;
            case 2:
                vcpu.Context.Cr2 = value;
                VcpuInfoPage.SetCr2(ref vcpu, value);
                return true;
            case 3:
                Preemption preemption = Preemption.Start();
                if (vcpu.Memory.HasDeferred && !DeferredWork.TryFinish(ref vcpu, ref preemption))
                {
                    again = true;
                    return true;
                }

                XenError error = RootTables.SetKernelRoot(ref vcpu, new MachineAddress(value).Frame, ref preemption);
                again = error == XenError.Restart;
                return error is XenError.None or XenError.Restart;
            case 4:
                ulong choice = ControlRegisters.GuestCr4 & (ControlRegisters.Cr4 | Cr4Bits.TimeStampDisable | Cr4Bits.DebuggingExtensions);
                vcpu.Traps.Cr4 = (vcpu.Traps.Cr4 & ~choice) | (value & choice);
                ControlRegisters.SetGuestBits(vcpu.Traps.Cr4);
                return true;
            default:
                return false;
        }
    }
}
