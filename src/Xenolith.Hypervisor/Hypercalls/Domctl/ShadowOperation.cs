// domctl: which pages a domain has written.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>
/// shadow_op. Nothing tracks writes, so a domain is saved or moved while it is suspended; there is no pool of shadow memory whose size
/// could be asked or set.
/// </summary>
internal static class ShadowOperation
{
    private const uint Off = 0;

    /// <summary>Switching off what is never on succeeds. Errors: Fault, Invalid (the caller itself), NotSupported.</summary>
    internal static XenError Handle(ref HypercallCall call, DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out uint operation))
        {
            return XenError.Fault;
        }

        if (control.Domain.Id == call.Domain.Id)
        {
            return XenError.Invalid;
        }

        return operation == Off ? XenError.None : XenError.NotSupported;
    }
}
