// The grant table of a domain, and the grants of others that it has mapped.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Grants;

/// <summary>
/// Version-1 entries in pages that the domain shares with the hypervisor; beside each such page two private pages of
/// <see cref="ActiveGrant"/>. A directory page names them all: words 0-63 shared pages, 64-191 active pages, 192-511 pages of
/// <see cref="MapTrackEntry"/>.
/// </summary>
public struct DomainGrants
{
    /// <summary>Most pages a table can have.</summary>
    public const int MaximumFrames = 64;

    /// <summary>Entries of one page.</summary>
    public const int EntriesPerFrame = 512;

    /// <summary>Pages of active entries beside one shared page.</summary>
    public const int ActivePagesPerFrame = 2;

    /// <summary>Most pages of mappings.</summary>
    public const int MaximumHandlePages = 320;

    /// <summary>Handles of one page.</summary>
    public const int HandlesPerPage = 512;

    private const int FirstActivePage = MaximumFrames;
    private const int FirstHandlePage = FirstActivePage + (MaximumFrames * ActivePagesPerFrame);
    private const int ActivePerPage = EntriesPerFrame / ActivePagesPerFrame;

    /// <summary>The directory page, meaningful when <see cref="HasDirectory"/>.</summary>
    public Mfn Directory;
    public bool HasDirectory;

    /// <summary>Entries of which somebody makes use.</summary>
    public int PinnedEntries;

    /// <summary>Shared pages that exist.</summary>
    public int FrameCount;

    /// <summary>Pages of mappings that exist.</summary>
    public int HandlePageCount;

    /// <summary>Head of the list of free handles plus one; 0 = empty.</summary>
    public uint FreeHandle;

    /// <summary>Entries that the shared pages hold.</summary>
    public readonly uint EntryCount => (uint)FrameCount * EntriesPerFrame;

    /// <summary>Handles that the pages of mappings hold.</summary>
    public readonly uint HandleCount => (uint)HandlePageCount * HandlesPerPage;

    public readonly Mfn FrameAt(int index) => Page(index);

    /// <summary>A page of active entries.</summary>
    public readonly Mfn ActivePageAt(int index) => Page(FirstActivePage + index);

    /// <summary>A page of mappings.</summary>
    public readonly Mfn HandlePageAt(int index) => Page(FirstHandlePage + index);

    /// <summary>The shared word of an entry below <see cref="EntryCount"/>; its domain writes it at any time.</summary>
    public readonly ref ulong EntryAt(uint reference)
        => ref PhysicalMemory.Word(Page((int)(reference / EntriesPerFrame)), (int)(reference % EntriesPerFrame));

    /// <summary>The private half of an entry below <see cref="EntryCount"/>.</summary>
    public readonly ref ActiveGrant ActiveAt(uint reference)
        => ref PhysicalMemory.At<ActiveGrant>(Page(FirstActivePage + (int)(reference / ActivePerPage)), (int)(reference % ActivePerPage) * 16);

    /// <summary>The mapping of a handle below <see cref="HandleCount"/>.</summary>
    public readonly ref MapTrackEntry HandleAt(uint handle)
        => ref PhysicalMemory.At<MapTrackEntry>(Page(FirstHandlePage + (int)(handle / HandlesPerPage)), (int)(handle % HandlesPerPage) * 8);

    /// <summary>Adds a shared page and its pages of active entries.</summary>
    public void AddFrame(Mfn shared, Mfn firstActive, Mfn secondActive)
    {
        SetPage(FirstActivePage + (FrameCount * ActivePagesPerFrame), firstActive);
        SetPage(FirstActivePage + (FrameCount * ActivePagesPerFrame) + 1, secondActive);
        SetPage(FrameCount, shared);
        FrameCount++;
    }

    /// <summary>Adds a page of mappings, cleared.</summary>
    public void AddHandlePage(Mfn page) => SetPage(FirstHandlePage + HandlePageCount++, page);

    private readonly Mfn Page(int slot) => new(PhysicalMemory.Word(Directory, slot));

    private readonly void SetPage(int slot, Mfn page) => PhysicalMemory.Word(Directory, slot) = page.Value;
}
