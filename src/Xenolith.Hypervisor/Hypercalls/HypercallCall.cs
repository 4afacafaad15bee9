// One hypercall in execution: who calls, with which arguments.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

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

    /// <summary>The arguments as the calling convention has them in registers (public arch-x86/xen-x86_64.h).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public HypercallCall(ref Vcpu vcpu, ref Domain domain, in GuestRegisters registers)
    {
        Vcpu = ref vcpu;
        Domain = ref domain;
        Argument0 = registers.Rdi;
        Argument1 = registers.Rsi;
        Argument2 = registers.Rdx;
        Argument3 = registers.R10;
        Argument4 = registers.R8;
    }
}
