// One hypercall in execution: who calls, with which arguments.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// The caller and the arguments, copied once from the registers (or from a multicall entry). A handler that must be continued
/// rewrites the arguments here and returns <see cref="HypercallResult.Continue"/>.
/// </summary>
public ref struct HypercallCall
{
    public ref Vcpu Vcpu;
    public ref Domain Domain;

    /// <summary>RDI.</summary>
    public ulong Argument0;

    /// <summary>RSI.</summary>
    public ulong Argument1;

    /// <summary>RDX.</summary>
    public ulong Argument2;

    /// <summary>R10.</summary>
    public ulong Argument3;

    /// <summary>R8.</summary>
    public ulong Argument4;

    /// <summary>Inside a multicall: a nested multicall is refused.</summary>
    public bool IsInMulticall;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public HypercallCall(ref Vcpu vcpu, ref Domain domain)
    {
        Vcpu = ref vcpu;
        Domain = ref domain;
    }
}
