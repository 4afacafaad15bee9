// Floating point and vector state across vcpus.
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// Eager: saved and loaded whole at each switch. The few XMM registers that the entry path keeps in the context stay there: the exit
/// path loads them after this.
/// </summary>
internal static class FpuSwitch
{
    internal static void Save(ref Vcpu vcpu) => Fpu.Save(vcpu.FpuArea);

    internal static void Restore(ref Vcpu vcpu)
    {
        Fpu.Restore(vcpu.FpuArea);
        if (vcpu.Traps.Xcr0 != 0)
        {
            Fpu.TrySetXcr0(vcpu.Traps.Xcr0);
        }
    }
}
