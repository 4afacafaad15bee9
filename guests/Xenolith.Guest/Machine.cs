// What the guest's processor is.
namespace Xenolith.Guest;

/// <summary>The processor's own answers, which no hypervisor changes for a PV guest without CPUID faulting.</summary>
internal static class Machine
{
    private const ulong HypervisorLeaf = 0x4000_0000;
    private const ulong TcgSignature = 0x5447_4354;

    /// <summary>
    /// Whether QEMU's translator is the processor. It differs from hardware in few places; a guest says so where it matters.
    /// </summary>
    internal static bool IsTranslator
    {
        get
        {
            ProbeRegisters registers = new() { Rax = HypervisorLeaf };
            return Traps.Try([0x0F, 0xA2], ref registers) == Traps.None && registers.Rbx == TcgSignature;
        }
    }
}
