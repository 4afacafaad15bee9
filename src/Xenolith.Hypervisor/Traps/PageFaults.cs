// Page faults of a guest.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>In this order: the LDT window, a write to a page table in use, else the guest's own fault.</summary>
internal static class PageFaults
{
    private const int Vector = 14;
    private const uint WriteToPresent = PageFaultBits.Present | PageFaultBits.Write;

    internal static void Handle(ref Vcpu vcpu, ulong address, uint errorCode)
    {
        if (address - GuestAddress.HypervisorStart < GuestAddress.HypervisorEnd - GuestAddress.HypervisorStart)
        {
            HandleHypervisorRange(ref vcpu, address, errorCode);
            return;
        }

        if (vcpu.Context.InKernel != 0
            && (errorCode & (WriteToPresent | PageFaultBits.Reserved | PageFaultBits.InstructionFetch)) == WriteToPresent
            && WritablePageTables.TryEmulate(ref vcpu, new GuestAddress(address)))
        {
            return;
        }

        Deliver(ref vcpu, address, errorCode);
    }

    /// <summary>A page of the LDT's window is mapped when the processor first asks for it; anything else there is the guest's mistake.</summary>
    private static void HandleHypervisorRange(ref Vcpu vcpu, ulong address, uint errorCode)
    {
        ulong offset = address - DescriptorWindow.LdtAddress(vcpu.Index);
        if (offset < DescriptorWindow.LdtPages * 4096UL)
        {
            if (LocalDescriptorTable.TryMapPage(ref vcpu, offset))
            {
                return;
            }

            address = vcpu.Traps.LdtBase + offset;
            errorCode &= ~PageFaultBits.Present;
        }

        Deliver(ref vcpu, address, errorCode);
    }

    /// <summary>Gives a fault to the guest: CR2 first, then the frame. The U bit tells the guest's mode, not the processor's.</summary>
    internal static void Deliver(ref Vcpu vcpu, ulong address, uint errorCode)
    {
        errorCode = vcpu.Context.InKernel != 0 ? errorCode & ~PageFaultBits.User : errorCode | PageFaultBits.User;
        vcpu.Context.Cr2 = address;
        vcpu.Context.PageFaults++;
        VcpuInfoPage.SetCr2(ref vcpu, address);
        Bounce.Deliver(ref vcpu, Vector, true, errorCode);
    }
}
