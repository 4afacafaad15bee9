// nmi_op: the older way to say where NMIs go.
using Xenolith.Abi;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 28 (public nmi.h). RDI = 0 register, 1 unregister; RSI = struct xennmi_callback, of which the address comes first.</summary>
internal static class NmiOpHypercall
{
    internal static HypercallResult Handle(ref HypercallCall call)
    {
        switch (call.Argument0)
        {
            case 0:
                if (!GuestMemory.TryRead(new GuestAddress(call.Argument1), out ulong address))
                {
                    return HypercallResult.From(XenError.Fault);
                }

                if (!GuestAddress.IsCanonical(address))
                {
                    return HypercallResult.From(XenError.Invalid);
                }

                call.Vcpu.Traps.NmiCallback = address;
                return HypercallResult.Success;
            case 1:
                call.Vcpu.Traps.NmiCallback = 0;
                return HypercallResult.Success;
            default:
                return HypercallResult.From(XenError.NotImplemented);
        }
    }
}
