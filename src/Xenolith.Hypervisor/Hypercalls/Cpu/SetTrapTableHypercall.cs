// set_trap_table: the guest's exception handlers.
using Xenolith.Abi;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 0. RDI = array ended by a zero address, or 0 to clear the table.</summary>
internal static class SetTrapTableHypercall
{
    private const int MaximumEntries = 512;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        if (call.Argument0 == 0)
        {
            for (int i = 0; i < 256; i++)
            {
                GuestTrapTable.Set(ref call.Vcpu, new TrapInfo { Vector = (byte)i });
            }

            return HypercallResult.Success;
        }

        for (int i = 0; i < MaximumEntries; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(call.Argument0), out TrapInfo entry))
            {
                return HypercallResult.From(XenError.Fault);
            }

            if (entry.Address == 0)
            {
                return HypercallResult.Success;
            }

            if (!GuestAddress.IsCanonical(entry.Address))
            {
                return HypercallResult.From(XenError.Invalid);
            }

            GuestTrapTable.Set(ref call.Vcpu, entry);
            call.Argument0 += 16;
        }

        return HypercallResult.Continue;
    }
}
