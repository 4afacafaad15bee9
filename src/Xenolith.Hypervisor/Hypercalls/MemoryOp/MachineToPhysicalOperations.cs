// Where the M2P table is: for the guest itself, and for tools that map all of it.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>XENMEM_machphys_mapping, machphys_mfn_list, machphys_compat_mfn_list (public memory.h).</summary>
internal static class MachineToPhysicalOperations
{
    private const ulong Start = 0xFFFF_8000_0000_0000;
    private const ulong FramesPerChunk = 512;

    internal static HypercallResult Mapping(ref HypercallCall call)
    {
        GuestAddress at = new(call.Argument1);
        bool done = GuestMemory.TryWrite(at, Start)
            && GuestMemory.TryWrite(at.Add(8), Start + (MachineToPhysical.Count * 8))
            && GuestMemory.TryWrite(at.Add(16), MachineToPhysical.Count - 1);
        return done ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>
    /// struct xen_machphys_mfn_list: first frame of each 2 MiB of the table. The compatibility table is for 32-bit domains, of which
    /// there are none: its list is empty.
    /// </summary>
    internal static HypercallResult List(ref HypercallCall call, bool isCompatible)
    {
        GuestAddress at = new(call.Argument1);
        if (!GuestMemory.TryRead(at, out uint maximum) || !GuestMemory.TryRead(at.Add(8), out ulong list))
        {
            return HypercallResult.From(XenError.Fault);
        }

        if (!DomainControl.IsController(ref call.Domain))
        {
            return HypercallResult.From(XenError.NotPermitted);
        }

        uint chunks = isCompatible ? 0 : (uint)(MachineToPhysical.Frames / FramesPerChunk);
        uint count = Math.Min(maximum, chunks);
        for (uint i = 0; i < count; i++)
        {
            Mfn first = MachineToPhysical.FirstFrame.Add(i * FramesPerChunk);
            Share(first);
            if (!GuestMemory.TryWrite(new GuestAddress(list + (i * 8)), first.Value))
            {
                return HypercallResult.From(XenError.Fault);
            }
        }

        return GuestMemory.TryWrite(at.Add(16), count) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }

    /// <summary>
    /// Domain 0 may map these frames of the hypervisor's, and read them: a general reference makes them mappable, a type reference
    /// of type none keeps everybody from having them writable.
    /// </summary>
    private static void Share(Mfn first)
    {
        for (ulong i = 0; i < FramesPerChunk; i++)
        {
            ref FrameInfo info = ref FrameTable.At(first.Add(i));
            if (info.Owner == DomainIds.Xen && info.GeneralCount == 0)
            {
                info.AddGeneral();
                info.StartType(PageType.None);
            }
        }
    }
}
