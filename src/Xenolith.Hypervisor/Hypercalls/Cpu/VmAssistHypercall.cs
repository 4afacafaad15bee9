// vm_assist: behaviour that a guest can switch on.
using Xenolith.Abi;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 21. RDI = 0 enable, 1 disable; RSI = type.</summary>
internal static class VmAssistHypercall
{
    /// <summary>4gb_segments, its notification, writable page tables, pae_extended_cr3, architectural_iopl, runstate update flag, m2p_strict.</summary>
    internal const ulong Known = 0x3F | (1UL << 32);

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (call.Argument1 > 63 || ((Known >> (int)call.Argument1) & 1) == 0)
        {
            return HypercallResult.From(XenError.Invalid);
        }

        ulong bit = 1UL << (int)call.Argument1;
        switch (call.Argument0)
        {
            case 0: call.Domain.Assists |= bit; return HypercallResult.Success;
            case 1: call.Domain.Assists &= ~bit; return HypercallResult.Success;
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }
}
