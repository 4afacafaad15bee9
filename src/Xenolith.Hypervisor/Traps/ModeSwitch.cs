// Kernel mode and user mode of a guest: two roots, two GS bases.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Switches the loaded vcpu between its modes; the entry assembly has fast copies of both ways.</summary>
internal static class ModeSwitch
{
    internal static void ToKernel(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        if (context.InKernel != 0)
        {
            return;
        }

        Tlb.LoadRoot(context.KernelRoot);
        TlbClock.Flushed();
        context.UserGsBase = Segments.GsBase;
        Segments.GsBase = context.KernelGsBase;
        context.InKernel = 1;
    }

    /// <summary>The caller has checked that there is a user root.</summary>
    internal static void ToUser(ref Vcpu vcpu)
    {
        ref VcpuContext context = ref vcpu.Context;
        Tlb.LoadRoot(context.UserRoot);
        TlbClock.Flushed();
        context.KernelGsBase = Segments.GsBase;
        Segments.GsBase = context.UserGsBase;
        context.InKernel = 0;
    }
}
