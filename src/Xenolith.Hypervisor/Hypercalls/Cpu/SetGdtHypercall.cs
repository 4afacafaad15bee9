// set_gdt: the frames of the guest's descriptor table.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 2. RDI = frame numbers, RSI = entries (at most 7168).</summary>
internal static class SetGdtHypercall
{
    private const int EntriesPerPage = 512;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        int entries = call.Argument1 > VcpuTraps.MaximumGdtEntries ? -1 : (int)call.Argument1;
        if (entries < 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        VcpuTraps.GdtFrames frames = default;
        int pages = (entries + EntriesPerPage - 1) / EntriesPerPage;
        for (int page = 0; page < pages; page++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(call.Argument0 + ((ulong)page * 8)), out ulong frame))
            {
                return HypercallResult.From(XenError.Fault);
            }

            frames[page] = new Mfn(frame);
        }

        return HypercallResult.From(Apply(ref call.Vcpu, frames, entries));
    }

    /// <summary>Takes all new frames or none, then gives the old ones back. Error: Invalid.</summary>
    internal static XenError Apply(ref Vcpu vcpu, VcpuTraps.GdtFrames frames, int entries)
    {
        int pages = (entries + EntriesPerPage - 1) / EntriesPerPage;
        Preemption never = Preemption.Never;
        for (int page = 0; page < pages; page++)
        {
            if (PageTypes.TryTake(ref vcpu.Domain, frames[page], PageType.DescriptorTable, ref never) != XenError.None)
            {
                for (int taken = 0; taken < page; taken++)
                {
                    PageTypes.DropLeaf(frames[taken]);
                }

                return XenError.Invalid;
            }
        }

        Release(ref vcpu);
        for (int page = 0; page < pages; page++)
        {
            DescriptorWindow.SetGdtPage(vcpu.Index, page, frames[page]);
        }

        vcpu.Traps.Gdt = frames;
        vcpu.Traps.GdtEntries = entries;
        return XenError.None;
    }

    /// <summary>Leaves the guest with an empty GDT.</summary>
    internal static void Release(ref Vcpu vcpu)
    {
        int pages = (vcpu.Traps.GdtEntries + EntriesPerPage - 1) / EntriesPerPage;
        for (int page = 0; page < pages; page++)
        {
            DescriptorWindow.ClearGdtPage(vcpu.Index, page);
            PageTypes.DropLeaf(vcpu.Traps.Gdt[page]);
        }

        vcpu.Traps.GdtEntries = 0;
    }
}
