// The two page-table roots of a vcpu.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.PageTables;

/// <summary>Kernel root (never none) and user root (0 = none); each holds a type and a general reference of an L4 table.</summary>
internal static class RootTables
{
    /// <summary>New kernel root, and CR3 with it. Errors: Invalid, Restart.</summary>
    internal static XenError SetKernelRoot(ref Vcpu vcpu, Mfn root, ref Preemption preemption)
    {
        // A number that would wrap to another frame's address is no frame.
        if (root.Value >= FrameTable.Count)
        {
            return XenError.Invalid;
        }

        ref VcpuContext context = ref vcpu.Context;
        ulong old = context.KernelRoot;
        if (old != root.Address.Value)
        {
            XenError error = PageTypes.TryTake(ref vcpu.Domain, root, PageType.L4, ref preemption);
            if (error != XenError.None)
            {
                if (error != XenError.Restart)
                {
                    DeferredWork.AddIfDismantling(ref vcpu, ref vcpu.Domain, root, PageType.L4);
                }

                return error;
            }

            context.KernelRoot = root.Address.Value;
        }

        Traps.LocalDescriptorTable.DropWindow(ref vcpu);
        Tlb.LoadRoot(context.KernelRoot);
        TlbClock.Flushed();
        if (old != context.KernelRoot && old != 0)
        {
            Mfn table = new MachineAddress(old).Frame;
            if (!PageTypes.TryDrop(ref vcpu.Domain, table, ref preemption))
            {
                DeferredWork.Set(ref vcpu, table);
            }
        }

        return XenError.None;
    }

    /// <summary>New user root; frame 0 = none. Errors: Invalid, Restart.</summary>
    internal static XenError SetUserRoot(ref Vcpu vcpu, Mfn root, ref Preemption preemption)
    {
        if (root.Value >= FrameTable.Count)
        {
            return XenError.Invalid;
        }

        ref VcpuContext context = ref vcpu.Context;
        ulong old = context.UserRoot;
        if (old == root.Address.Value)
        {
            return XenError.None;
        }

        if (root.Value != 0)
        {
            XenError error = PageTypes.TryTake(ref vcpu.Domain, root, PageType.L4, ref preemption);
            if (error != XenError.None)
            {
                if (error != XenError.Restart)
                {
                    DeferredWork.AddIfDismantling(ref vcpu, ref vcpu.Domain, root, PageType.L4);
                }

                return error;
            }
        }

        context.UserRoot = root.Address.Value;
        if (old != 0)
        {
            Mfn table = new MachineAddress(old).Frame;
            if (!PageTypes.TryDrop(ref vcpu.Domain, table, ref preemption))
            {
                DeferredWork.Set(ref vcpu, table);
            }
        }

        return XenError.None;
    }
}
