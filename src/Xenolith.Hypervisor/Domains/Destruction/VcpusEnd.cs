// The end of a domain's vcpus.
using Xenolith.Hypervisor.Hypercalls;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>First all come to rest; later each gives back what it refers to, and its slot.</summary>
internal static class VcpusEnd
{
    /// <summary>Whether no processor has any of the paused vcpus left.</summary>
    internal static bool TryStop(ref Domain domain)
    {
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            if (!Scheduler.TryStop(ref VcpuTable.At(domain.VcpuIndex(id))))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Ends the vcpus, the last one first, so that those that are left always count from 0. A root whose dismantling is interrupted holds
    /// itself; <see cref="MemoryEnd"/> finds it. False: preempted.
    /// </summary>
    internal static bool TryRelease(ref Domain domain, ref Preemption preemption)
    {
        while (domain.VcpuCount != 0)
        {
            int index = domain.VcpuIndex((uint)domain.VcpuCount - 1);
            ref Vcpu vcpu = ref VcpuTable.At(index);
            Scheduler.Remove(ref vcpu);
            LocalDescriptorTable.DropWindow(ref vcpu);
            SetGdtHypercall.Release(ref vcpu);
            if (vcpu.Events.IsRegistered)
            {
                DomainFrames.ReleaseShared(vcpu.Events.InfoFrame);
            }

            DropRoot(ref domain, vcpu.Context.KernelRoot, ref preemption);
            DropRoot(ref domain, vcpu.Context.UserRoot, ref preemption);
            DomainFrames.FreeOwn(vcpu.FpuArea);
            domain.VcpuCount--;
            VcpuTable.Release(index);
            if (preemption.IsNeeded)
            {
                return false;
            }
        }

        return true;
    }

    private static void DropRoot(ref Domain domain, ulong root, ref Preemption preemption)
    {
        if (root != 0)
        {
            PageTypes.TryDrop(ref domain, new MachineAddress(root).Frame, ref preemption);
        }
    }
}
