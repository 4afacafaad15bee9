// The initial address space of a domain.
using Xenolith.Loading;

namespace Xenolith.UnitTests.Loading;

public sealed class LayoutTests
{
    /// <summary>Real Xen's layout for Debian's kernel in 512 MiB: start_info at ..84A00000, tables from ..84A01000, stack ..84A2A000, end ..84C00000.</summary>
    [Fact]
    public void AgreesWithXenForADebianKernel()
    {
        XenNotes notes = DebianNotes();
        Assert.Equal(LoadError.None, InitialLayout.TryMake(in notes, 0x100_0000, 0x4A0_0000, 131_072, 10 << 20, InitialRings.None, out InitialLayout layout));
        Assert.Equal(0xFFFF_FFFF_84A0_0000, layout.AddressOf(layout.StartInfo));
        Assert.Equal(0xFFFF_FFFF_84A0_1000, layout.AddressOf(layout.PageTables));
        Assert.Equal(0x29UL, layout.PageTableCount);
        Assert.Equal(0xFFFF_FFFF_84A2_A000, layout.AddressOf(layout.Stack));
        Assert.Equal(0xFFFF_FFFF_84C0_0000, layout.AddressOf(layout.RegionPages));
        Assert.Equal(layout.RegionPages, layout.RamDisk);
        Assert.Equal(layout.RamDisk + 2560, layout.P2m);
        Assert.Equal(256UL, layout.P2mPages);
        Assert.Equal(0x80_0000_0000UL, layout.P2mAddress);
    }

    [Fact]
    public void PutsEverythingInsideTheRegionForAnOldKernel()
    {
        XenNotes notes = DebianNotes();
        notes.HasInitialP2m = false;
        notes.ModuleStartIsPfn = false;
        Assert.Equal(LoadError.None, InitialLayout.TryMake(in notes, 0x100_0000, 0x4A0_0000, 131_072, 10 << 20, InitialRings.None, out InitialLayout layout));
        Assert.True(layout.KernelEnd <= layout.RamDisk && layout.RamDisk + layout.RamDiskPages <= layout.P2m);
        Assert.True(layout.P2m + layout.P2mPages <= layout.StartInfo && layout.Stack < layout.RegionPages);
        Assert.Equal(layout.RegionPages, layout.End);
    }

    [Fact]
    public void CountsTablesThatMapThemselves()
    {
        XenNotes notes = DebianNotes();
        for (ulong megabytes = 2; megabytes < 1100; megabytes += 37)
        {
            InitialLayout.TryMake(in notes, 0x100_0000, 0x100_0000 + (megabytes << 20), 600_000, 0, InitialRings.None, out InitialLayout layout);
            ulong last = layout.AddressOf(layout.RegionPages) - 1;
            ulong needed = 1;
            for (int shift = 21; shift <= 39; shift += 9)
            {
                needed += (last >> shift) - (layout.Base >> shift) + 1;
            }

            Assert.True(layout.PageTableCount >= needed, $"{megabytes} MiB");
            Assert.True(((layout.RegionPages - layout.Stack - 1) << 12) >= 512 << 10);
        }
    }

    private static XenNotes DebianNotes() => new()
    {
        VirtualBase = 0xFFFF_FFFF_8000_0000,
        Entry = 0xFFFF_FFFF_8307_91C0,
        HasInitialP2m = true,
        InitialP2m = 0x80_0000_0000,
        ModuleStartIsPfn = true,
    };
}
