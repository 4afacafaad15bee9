// Grants: what the guest offers to other domains, and what it takes of theirs.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>The first page of the guest's grant table, and the calls about other domains' entries.</summary>
internal static unsafe class Grants
{
    /// <summary>Entries of the page.</summary>
    internal const uint Entries = 512;

    /// <summary>Status of a call that was carried out.</summary>
    internal const short Done = 0;

    private static ulong* s_table;

    /// <summary>The entries, as both sides see them.</summary>
    internal static ulong* Table => s_table;

    /// <summary>The frame of the table's page.</summary>
    internal static ulong Frame { get; private set; }

    /// <summary>Maps the table.</summary>
    internal static void Start()
    {
        ulong frame = 0;
        GrantSetupTable request = new() { DomainId = DomainIds.Self, FrameCount = 1, Status = 1, FrameList = (ulong)(&frame) };
        s_table = (ulong*)Memory.TakePage();
        if (Call(2, &request) != 0 || request.Status != Done
            || Xen.UpdateVaMapping((ulong)s_table, (frame << 12) | PageTables.KernelWritable) != 0)
        {
            Report.Error("no grant table"u8);
        }

        Frame = frame;
    }

    /// <summary>Offers a page to a domain.</summary>
    internal static void Offer(uint reference, ushort domain, void* page, uint flags = 0) =>
        s_table[reference] = GrantEntryFlags.PermitAccess | flags | ((ulong)domain << 16) | (Memory.Frame(page) << 32);

    internal static long Call(uint operation, void* argument, uint count = 1) => Xen.Call(HypercallNumber.GrantTableOp, operation, (ulong)argument, count);

    /// <summary>Maps another domain's page at an address of the initial memory. Gives the status.</summary>
    internal static short Map(ushort domain, uint reference, void* window, uint flags, out uint handle)
    {
        GrantMap request = new() { HostAddress = (ulong)window, Flags = GrantMapFlags.HostMap | flags, Reference = reference, DomainId = domain, Status = 1 };
        long result = Call(0, &request);
        handle = request.Handle;
        Xen.MmuExtended(MmuExtendedCommand.InvlpgLocal, (ulong)window);
        return result == 0 ? request.Status : (short)result;
    }

    internal static short Unmap(uint handle, void* window)
    {
        GrantUnmap request = new() { HostAddress = (ulong)window, Handle = handle, Status = 1 };
        long result = Call(1, &request);
        return result == 0 ? request.Status : (short)result;
    }

    /// <summary>Copies within or between domains. A page is a reference or a frame, as the flags say. Gives the status.</summary>
    internal static short Copy(ulong from, ushort fromDomain, ulong to, ushort toDomain, ushort flags, ushort bytes = 64)
    {
        GrantCopy request = new()
        {
            Source = new GrantCopySide { Page = from, DomainId = fromDomain },
            Destination = new GrantCopySide { Page = to, DomainId = toDomain },
            Length = bytes,
            Flags = flags,
            Status = 1,
        };
        long result = Call(5, &request);
        return result == 0 ? request.Status : (short)result;
    }
}
