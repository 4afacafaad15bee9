// The white lists of descriptors and page table entries, bit by bit.
using Xenolith.Abi;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

public sealed class RuleTests
{
    /// <summary>Of all access bytes: what is not present may be anything, segments end at privilege 3, system descriptors do not exist.</summary>
    [Fact]
    public void EveryAccessByteOfADescriptorIsDecided()
    {
        for (ulong access = 0; access < 256; access++)
        {
            const ulong Rest = 0x00CF_0000_1234_FFFF;
            ulong descriptor = Rest | (access << 40);
            bool isPresent = (access & 0x80) != 0;
            bool isSegment = (access & 0x10) != 0;
            bool accepted = DescriptorRules.TryFix(ref descriptor);
            Assert.Equal(!isPresent || isSegment || (access & 0xF) == 0, accepted);
            if (accepted)
            {
                ulong expected = isPresent && isSegment ? access | 0x60 : access;
                Assert.Equal(Rest | (expected << 40), descriptor);
            }
        }
    }

    /// <summary>Each bit of an entry at each level, for a domain with devices and for one without, by way of mmu_update.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EveryBitOfAnEntryIsDecided(bool hasDevices)
    {
        const int PhysicalBits = 40;
        TestDomain domain = TestDomain.Create(hasDevices);
        Mfn page = domain.NewPage();
        Mfn l1 = domain.NewPage();
        Mfn l2 = domain.NewPage();
        Mfn l3 = domain.NewPage();
        foreach ((Mfn table, int level, Mfn target) in new[] { (l1, 1, page), (l2, 2, l1), (l3, 3, l2), (domain.KernelL4, 4, l3) })
        {
            Assert.Equal(0, domain.SetEntry(table, 0, TestDomain.Entry(target, TestDomain.Present | PageTableEntry.User)));
            if (level != 4)
            {
                Assert.Equal(0, domain.Pin(table, level));
            }

            for (int bit = 1; bit < 64; bit++)
            {
                if (bit is >= 12 and < PhysicalBits)
                {
                    continue;
                }

                bool allowed = bit switch
                {
                    1 or 2 or 5 or 6 or 63 => true,
                    3 or 4 or 7 => level == 1 && hasDevices,
                    8 => level == 1,
                    >= 9 and <= 11 => true,
                    >= 52 => true,
                    _ => false,
                };
                Assert.Equal(0, domain.SetEntry(table, 0, 0));
                ulong entry = TestDomain.Entry(target, TestDomain.Present | PageTableEntry.User) ^ (1UL << bit);

                // Twice: as a new entry, and as other flags of one in force.
                long result = domain.SetEntry(table, 0, entry);
                Assert.True(allowed == (result == 0), $"bit {bit} at level {level}: {result}");
                Assert.Equal(0, domain.SetEntry(table, 0, TestDomain.Entry(target, TestDomain.Present | PageTableEntry.User)));
                result = domain.SetEntry(table, 0, entry);
                Assert.True(allowed == (result == 0), $"bit {bit} at level {level}, changed in place: {result}");
                ulong stored = PhysicalMemory.Word(table, 0);
                Assert.True((stored & PageTableEntry.User) != 0, $"bit {bit} at level {level}: the guest cannot reach {stored:X}");
            }

            Assert.Equal(0, domain.SetEntry(table, 0, TestDomain.Entry(target, TestDomain.Present | PageTableEntry.User)));
        }

        new FrameAudit().Check();
    }

    /// <summary>A kernel page is marked and stays one when it is written back; a user page is global.</summary>
    [Fact]
    public void KernelPagesAreMarkedAndUserPagesGlobal()
    {
        TestDomain domain = TestDomain.Create();
        Mfn page = domain.NewPage();
        Assert.Equal(0, domain.SetWindow(0, TestDomain.Entry(page, TestDomain.Present)));
        ulong kernel = PhysicalMemory.Word(domain.WindowL1, 0);
        Assert.Equal(PageTableEntry.User | PageTableEntry.GuestKernel, kernel & (PageTableEntry.User | PageTableEntry.GuestKernel | PageTableEntry.Global));
        Assert.Equal(0, domain.SetWindow(0, kernel));
        Assert.Equal(kernel, PhysicalMemory.Word(domain.WindowL1, 0));
        Assert.Equal(0, domain.SetWindow(0, TestDomain.Entry(page, TestDomain.Present | PageTableEntry.User)));
        Assert.NotEqual(0UL, PhysicalMemory.Word(domain.WindowL1, 0) & PageTableEntry.Global);
    }
}
