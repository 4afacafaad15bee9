// The one seam between the library and the machine.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>
/// What the kernel of Domain 0 offers of the hypervisor: calls, memory that both can reach, and mappings of other domains' memory.
/// <see cref="Open"/> gives the machine's; tests put another in its place. All members may be called from any thread, and none takes
/// longer than the hypervisor works for it.
/// </summary>
public interface IHypervisor : IDisposable
{
    /// <summary>The hypervisor that this machine runs on, through /dev/xen/privcmd and /dev/xen/hypercall.</summary>
    /// <exception cref="HypervisorUnavailableException">There is none, or this is not Domain 0's root.</exception>
    static IHypervisor Open() => Interop.PrivilegedCommands.Open();

    /// <summary>Takes zeroed memory that the hypervisor can read and write; disposing of it gives it back.</summary>
    /// <param name="bytes">At least 1.</param>
    /// <exception cref="XenException">The kernel has no memory for it.</exception>
    HypercallBuffer Rent(int bytes);

    /// <summary>Makes a hypercall; addresses among its arguments are those of rented buffers.</summary>
    /// <returns>The result; a negative one is an error number. Only its low 32 bits are passed on by the kernel.</returns>
    long Call(HypercallNumber number, ulong argument0 = 0, ulong argument1 = 0, ulong argument2 = 0, ulong argument3 = 0, ulong argument4 = 0);

    /// <summary>Maps frames of a domain, one behind the other.</summary>
    /// <param name="domain">Who owns the frames.</param>
    /// <param name="frames">Machine frame numbers.</param>
    /// <param name="isWritable">Page tables of the domain can only be mapped to be read.</param>
    /// <exception cref="XenException">A frame cannot be mapped; then none is.</exception>
    ForeignMapping Map(ushort domain, ReadOnlySpan<ulong> frames, bool isWritable);

    /// <summary>Maps frames that the hypervisor keeps for a domain, writable.</summary>
    /// <param name="domain">Whose they are.</param>
    /// <param name="type">For example <see cref="AcquireResource.GrantTable"/>.</param>
    /// <param name="id">Which resource of that type.</param>
    /// <param name="first">First frame within the resource.</param>
    /// <param name="count">Number of frames.</param>
    /// <exception cref="XenException">They do not exist, or cannot be mapped.</exception>
    ForeignMapping MapResource(ushort domain, ushort type, uint id, uint first, int count);
}
