// The exception handlers that a guest has registered.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Traps;

/// <summary>Writes a vcpu's trap table, and the copy of the page-fault handler that the entry path keeps.</summary>
internal static class GuestTrapTable
{
    internal const int PageFault = 14;
    internal const byte MasksEvents = 4;

    /// <summary>Sets the handler of <c>entry.Vector</c>; address 0 = none. The address must be canonical.</summary>
    internal static void Set(ref Vcpu vcpu, in TrapInfo entry)
    {
        vcpu.Traps.Table[entry.Vector] = entry;
        if (entry.Vector == PageFault)
        {
            vcpu.Context.PageFaultHandler = GuestAddress.IsCanonical(entry.Address) ? entry.Address : 0;
            vcpu.Context.PageFaultMasksEvents = (entry.Flags & MasksEvents) != 0 ? (byte)1 : (byte)0;
        }
    }
}
