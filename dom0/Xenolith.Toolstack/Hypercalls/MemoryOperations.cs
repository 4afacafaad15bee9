// Memory of domains.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Operations of memory_op.</summary>
public sealed class MemoryOperations
{
    /// <summary>Extents that one call asks for at most: 8 MiB of a list.</summary>
    public const int MaximumExtents = 1 << 20;

    private const int E820EntryBytes = 20;

    private readonly Caller _caller;

    internal MemoryOperations(Caller caller) => _caller = caller;

    /// <summary>
    /// Gives a domain frames. <paramref name="extents"/> holds the first page number of each extent and, when this returns, the first
    /// machine frame of those that were made; their pages hold nothing of other domains.
    /// </summary>
    /// <param name="domain">Who gets them.</param>
    /// <param name="order">Each extent has 2^order pages, aligned in the machine's memory.</param>
    /// <param name="extents">At most <see cref="MaximumExtents"/>.</param>
    /// <returns>How many extents were made: fewer when there is no more memory in such pieces, none when there is no such domain.</returns>
    public int Populate(ushort domain, int order, Span<ulong> extents)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(extents.Length, MaximumExtents, nameof(extents));
        if (extents.IsEmpty)
        {
            return 0;
        }

        using HypercallBuffer buffer = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<ulong>(extents.Length));
        extents.CopyTo(buffer.As<ulong>());
        MemoryReservation reservation = new() { ExtentStart = buffer.Address, ExtentCount = (ulong)extents.Length, ExtentOrder = (uint)order, DomainId = domain };
        int made = (int)_caller.Memory(MemoryCommand.PopulatePhysmap, "populate_physmap", reservation, domain);
        buffer.As<ulong>()[..made].CopyTo(extents);
        return made;
    }

    /// <summary>Pages that a domain has.</summary>
    public long GetCurrent(ushort domain) => _caller.Memory(MemoryCommand.CurrentReservation, "current_reservation", (ulong)domain, domain);

    /// <summary>Pages that a domain may have.</summary>
    public long GetMaximum(ushort domain) => _caller.Memory(MemoryCommand.MaximumReservation, "maximum_reservation", (ulong)domain, domain);

    /// <summary>First frame number behind the machine's memory.</summary>
    public long GetFrameLimit() => _caller.Memory(MemoryCommand.MaximumRamPage, "maximum_ram_page", 0UL);

    /// <summary>Sets aside memory for a domain that is being built; 0 pages end it. False: the hypervisor has no claims.</summary>
    /// <exception cref="NotEnoughMemoryException">So much is not free.</exception>
    public bool TryClaim(ushort domain, ulong pages)
    {
        MemoryReservation claim = new() { ExtentCount = pages, DomainId = domain };
        XenError error = Caller.ErrorOf(_caller.Memory(MemoryCommand.ClaimPages, ref claim));
        return error switch
        {
            XenError.None => true,
            XenError.NotImplemented => false,
            _ => throw XenException.For("claim_pages", error, domain),
        };
    }

    /// <summary>Tells a domain how much memory it may have one day: one range of RAM from 0 on, which its kernel sizes its tables for.</summary>
    public void SetMemoryMap(ushort domain, ulong bytes)
    {
        using HypercallBuffer entry = _caller.Hypervisor.Rent(E820EntryBytes);
        entry.Write(0, new E820Entry { Bytes = bytes, Type = E820Entry.Ram });
        _caller.Memory(MemoryCommand.SetMemoryMap, "set_memory_map", new ForeignMemoryMap { DomainId = domain, Count = 1, Buffer = entry.Address }, domain);
    }
}
