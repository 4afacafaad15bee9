// update_descriptor: one descriptor of a guest by machine address.
using System.Threading;
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 10. RDI = machine address (8-aligned), RSI = descriptor.</summary>
internal static class UpdateDescriptorHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        ulong descriptor = call.Argument1;
        MachineAddress address = new(call.Argument0);
        if ((call.Argument0 & 7) != 0 || !FrameTable.IsOwnedBy(address.Frame, call.Vcpu.DomainId) || !DescriptorRules.TryFix(ref descriptor))
        {
            return HypercallResult.From(XenError.Invalid);
        }

        ref FrameInfo info = ref FrameTable.At(address.Frame);
        bool isTable = info.TypeCount != 0 && info.Type == PageType.DescriptorTable;
        if (!isTable && PageTypes.TryTakeWritable(ref call.Domain, address.Frame) != XenError.None)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        Volatile.Write(ref PhysicalMemory.Word(address.Frame, address.Offset >> 3), descriptor);
        if (!isTable)
        {
            PageTypes.DropLeaf(address.Frame);
        }

        return HypercallResult.Success;
    }
}
