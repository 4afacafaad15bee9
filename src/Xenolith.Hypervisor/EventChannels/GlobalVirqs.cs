// Virtual interrupts that belong to the machine.
using System.Runtime.CompilerServices;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.Hypervisor.EventChannels;

/// <summary>Each goes to Domain 0, or to the domain that the toolstack has named for it as long as that one lives.</summary>
internal static class GlobalVirqs
{
    private static Handlers s_handlers;

    /// <summary>Whether a number is that of a VIRQ of the machine, not of a vcpu.</summary>
    internal static bool IsGlobal(uint virq)
        => virq < (uint)VirtualIrq.Count && (VirtualIrq)virq is not (VirtualIrq.Timer or VirtualIrq.Debug or VirtualIrq.Xenoprof or VirtualIrq.XenPmu);

    /// <summary>Names the domain that gets the VIRQ from now on. Error: Invalid (no VIRQ of the machine).</summary>
    internal static XenError TrySetHandler(ref Domain domain, uint virq)
    {
        if (!IsGlobal(virq))
        {
            return XenError.Invalid;
        }

        s_handlers[(int)virq] = new Handler { Id = domain.Id, Serial = domain.Settings.Serial };
        return XenError.None;
    }

    internal static void Raise(VirtualIrq virq)
    {
        Handler handler = s_handlers[(int)virq];
        ushort id = DomainTable.Exists(handler.Id, handler.Serial) ? handler.Id : DomainIds.Domain0;
        if (DomainTable.Exists(id))
        {
            EventPorts.RaiseGlobalVirq(ref DomainTable.At(id), virq);
        }
    }

    private struct Handler
    {
        public ushort Id;
        public ulong Serial;
    }

    [InlineArray((int)VirtualIrq.Count)]
    private struct Handlers
    {
        private Handler _first;
    }
}
