// What an unmapped grant still holds until the translations are flushed.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>Noted by an unmap operation, given back after the one flush that a batch of them needs.</summary>
internal struct GrantRelease
{
    internal uint Reference;
    internal uint Handle;
    internal ushort DomainId;

    /// <summary>Nothing is mapped under the handle any more.</summary>
    internal bool EndsHandle;

    /// <summary>Pins to take back (see <see cref="ActiveGrant"/>); 0 = nothing was unmapped.</summary>
    internal uint Pins;
    internal Mfn Frame;
}
