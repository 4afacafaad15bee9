// Telling the toolstack that a domain's state has changed.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;

namespace Xenolith.Hypervisor.Domains;

/// <summary>VIRQ_DOM_EXC: a domain has shut down, is dead, or is gone. Who gets it looks for himself which one.</summary>
internal static class DomainEvent
{
    internal static void Raise() => GlobalVirqs.Raise(VirtualIrq.DomainException);
}
