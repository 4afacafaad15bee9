// The table of all domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Domain slots by id. Reserved ids (public xen.h, DOMID_FIRST_RESERVED and up) have none.</summary>
public static class DomainTable
{
    /// <summary>How many domains can exist at once; ids are below it.</summary>
    public const int Capacity = 4096;

    private const int LeastRange = 64;

    private static GrowableTable<Domain> s_domains;
    private static ushort s_lastId;

    /// <summary>Slots that have memory; no domain has an id from here on.</summary>
    public static int Count => s_domains.Count;

    /// <summary>Domains that exist.</summary>
    public static int Living { get; private set; }

    /// <summary>Takes an empty table, which grows with the ids that are used.</summary>
    public static void Initialize(GrowableTable<Domain> table)
    {
        s_domains = table;
        s_lastId = 0;
        Living = 0;
    }

    /// <summary>The slot of <paramref name="id"/>, which the caller knows to be below <see cref="Count"/>.</summary>
    public static ref Domain At(int id) => ref s_domains[id];

    /// <summary>Whether a domain of that id exists and is not being destroyed.</summary>
    public static bool Exists(uint id) => id < (uint)s_domains.Count && s_domains[(int)id].State is not (DomainState.Free or DomainState.Dying or DomainState.Dead);

    /// <summary>Whether a domain of that id exists and is the one with that serial number: an id is given out again some day.</summary>
    internal static bool Exists(uint id, ulong serial) => Exists(id) && s_domains[(int)id].Settings.Serial == serial;

    /// <summary>Whether the slot of that id is taken: also by a domain that is being destroyed.</summary>
    public static bool IsTaken(uint id) => id < (uint)s_domains.Count && s_domains[(int)id].State != DomainState.Free;

    /// <summary>Takes the slot of a certain id. Errors: Exists, Invalid (no such id), NoMemory.</summary>
    internal static XenError TryTake(ushort id)
    {
        if (id >= Capacity)
        {
            return XenError.Invalid;
        }

        if (IsTaken(id))
        {
            return XenError.Exists;
        }

        while (s_domains.Count <= id)
        {
            if (!DomainFrames.TryAllocateOwn(out Mfn frame))
            {
                return XenError.NoMemory;
            }

            s_domains.Add(frame);
        }

        ref Domain domain = ref s_domains[id];
        domain = default;
        domain.Id = id;
        domain.State = DomainState.Building;
        Living++;
        return XenError.None;
    }

    /// <summary>
    /// Takes the next free slot after the last one that was given: an id is not used again soon. The range of ids grows with the number
    /// of domains, and with it the table. Errors: NoMemory, NoSpace.
    /// </summary>
    internal static XenError TryTakeNext(out ushort id)
    {
        int range = Math.Min(Math.Max(LeastRange, (Living + 1) * 2), Capacity);
        id = s_lastId;
        for (int i = 1; i < range; i++)
        {
            id = id + 1 >= range ? (ushort)1 : (ushort)(id + 1);
            if (!IsTaken(id))
            {
                s_lastId = id;
                return TryTake(id);
            }
        }

        return XenError.NoSpace;
    }

    /// <summary>Frees a slot to which nothing refers any more.</summary>
    internal static void Release(ref Domain domain)
    {
        domain.State = DomainState.Free;
        Living--;
    }
}
