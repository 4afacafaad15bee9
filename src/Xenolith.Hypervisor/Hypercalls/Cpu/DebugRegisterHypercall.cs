// set_debugreg and get_debugreg.
using Xenolith.Abi;
using Xenolith.Hypervisor.Traps;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercalls 8 and 9. RDI = register, RSI = value.</summary>
internal static class DebugRegisterHypercall
{
    internal static HypercallResult HandleSet(ref HypercallCall call)
        => HypercallResult.From(DebugRegisterEmulation.Write(ref call.Vcpu, (int)Math.Min(call.Argument0, 8UL), call.Argument1));

    internal static HypercallResult HandleGet(ref HypercallCall call)
        => DebugRegisterEmulation.TryRead(ref call.Vcpu, (int)Math.Min(call.Argument0, 8UL), out ulong value)
            ? HypercallResult.Done((long)value)
            : HypercallResult.From(XenError.NoDevice);
}
