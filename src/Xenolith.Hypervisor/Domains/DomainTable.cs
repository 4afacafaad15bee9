// The table of all domains.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Domain slots by id. Reserved ids (public xen.h, DOMID_FIRST_RESERVED and up) have none.</summary>
public static class DomainTable
{
    /// <summary>How many domains can exist at once.</summary>
    public const int Capacity = 64;

    private static Table<Domain> s_domains;

    /// <summary>Puts the table into cleared frames of the hypervisor.</summary>
    public static void Initialize(Table<Domain> table) => s_domains = table;

    /// <summary>The slot of <paramref name="id"/>, which the caller knows to be below <see cref="Capacity"/>.</summary>
    public static ref Domain At(int id) => ref s_domains[id];

    /// <summary>Whether a domain of that id exists (in any state but free).</summary>
    public static bool Exists(uint id) => id < (uint)s_domains.Count && s_domains[(int)id].State != DomainState.Free;
}
