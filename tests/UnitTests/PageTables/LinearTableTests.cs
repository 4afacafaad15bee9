// Page tables that are mapped as tables of the level below.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

public sealed class LinearTableTests
{
    private const long Invalid = -(long)XenError.Invalid;
    private const ulong ReadOnly = PageTableEntry.Present | PageTableEntry.User;

    private readonly TestDomain _domain = TestDomain.Create();

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void ATableMayMapItselfToBeRead(int level)
    {
        Mfn table = _domain.NewPage();
        Assert.Equal(0, _domain.Pin(table, level));
        Assert.Equal(Invalid, _domain.SetEntry(table, 5, TestDomain.Entry(table, TestDomain.TableFlags)));
        Assert.Equal(0, _domain.SetEntry(table, 5, TestDomain.Entry(table, ReadOnly)));
        Assert.Equal(Invalid, _domain.SetEntry(table, 5, TestDomain.Entry(table, TestDomain.TableFlags)));
        Assert.Equal(1u, TestDomain.Frame(table).TypeCount);
        new FrameAudit().Check();
        Assert.Equal(0, _domain.Unpin(table));
        Assert.Equal(0u, TestDomain.Frame(table).TypeCount);
        new FrameAudit().Check();

        // So does a table that holds the entry already when it becomes one.
        Assert.Equal(0, _domain.Pin(table, level));
        Assert.Equal(0, _domain.Unpin(table));
    }

    [Fact]
    public void ARootMapsNoRoot()
    {
        Mfn table = _domain.NewPage();
        Mfn other = _domain.NewPage();
        Assert.Equal(0, _domain.Pin(table, 4));
        Assert.Equal(0, _domain.Pin(other, 4));
        Assert.Equal(Invalid, _domain.SetEntry(table, 5, TestDomain.Entry(table, ReadOnly)));
        Assert.Equal(Invalid, _domain.SetEntry(table, 5, TestDomain.Entry(other, ReadOnly)));
        Mfn third = _domain.NewPage();
        PhysicalMemory.Word(third, 7) = TestDomain.Entry(third, ReadOnly);
        Assert.Equal(Invalid, _domain.Pin(third, 4));
        new FrameAudit().Check();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void AnotherTableOfTheLevelIsHeldAndChainsAreRefused(int level)
    {
        Mfn first = _domain.NewPage();
        Mfn second = _domain.NewPage();
        Mfn third = _domain.NewPage();
        Assert.Equal(0, _domain.Pin(first, level));
        Assert.Equal(0, _domain.Pin(second, level));
        Assert.Equal(0, _domain.Pin(third, level));
        Assert.Equal(Invalid, _domain.SetEntry(first, 1, TestDomain.Entry(second, TestDomain.TableFlags)));
        Assert.Equal(0, _domain.SetEntry(first, 1, TestDomain.Entry(second, ReadOnly)));
        Assert.Equal(0, _domain.SetEntry(first, 2, TestDomain.Entry(second, ReadOnly)));
        Assert.Equal(3u, TestDomain.Frame(second).TypeCount);
        Assert.Equal(Invalid, _domain.SetEntry(second, 1, TestDomain.Entry(third, ReadOnly)));
        Assert.Equal(Invalid, _domain.SetEntry(second, 1, TestDomain.Entry(first, ReadOnly)));
        Assert.Equal(Invalid, _domain.SetEntry(third, 1, TestDomain.Entry(first, ReadOnly)));
        new FrameAudit().Check();

        // A table that is named stays one although its pin is gone.
        Assert.Equal(0, _domain.Unpin(second));
        Assert.Equal(-(long)XenError.Busy, _domain.SetWindow(0, TestDomain.Entry(second, TestDomain.ReadWrite)));
        Assert.Equal(0, _domain.SetEntry(first, 1, 0));
        new FrameAudit().Check();
        Assert.Equal(0, _domain.SetEntry(first, 2, 0));
        Assert.Equal(0u, TestDomain.Frame(second).TypeCount);
        Assert.Equal(0, _domain.SetWindow(0, TestDomain.Entry(second, TestDomain.ReadWrite)));
        Assert.Equal(0, _domain.SetEntry(third, 1, TestDomain.Entry(first, ReadOnly)));
        new FrameAudit().Check();
    }

    [Fact]
    public void ATreeBehindALinearEntryIsGivenBackInSteps()
    {
        Mfn named = _domain.NewTable(Tables(2));
        Mfn holder = _domain.NewPage();
        Assert.Equal(0, _domain.Pin(named, 3));
        Assert.Equal(0, _domain.Pin(holder, 3));
        Assert.Equal(0, _domain.SetEntry(holder, 9, TestDomain.Entry(named, ReadOnly)));
        Assert.Equal(0, _domain.Unpin(named));
        Preemption.SliceTicks = 0;
        Assert.Equal(0, _domain.Unpin(holder));
        for (int i = 0; i < 50 && TestDomain.Frame(holder).TypeCount != 0; i++)
        {
            Assert.Equal(0, _domain.Extended(MmuExtendedCommand.TlbFlushLocal));
            new FrameAudit().Check();
        }

        Assert.Equal(0u, TestDomain.Frame(holder).TypeCount);
        Assert.Equal(0u, TestDomain.Frame(named).TypeCount);
        Assert.Equal(0, TestDomain.Frame(named).LinearBalance);
        new FrameAudit().Check();
    }

    [Fact]
    public void AFailedPromotionGivesItsLinearEntriesBack()
    {
        Mfn named = _domain.NewPage();
        Assert.Equal(0, _domain.Pin(named, 3));
        Mfn bad = _domain.NewTable(TestDomain.Entry(named, ReadOnly), TestDomain.Entry(named, TestDomain.TableFlags));
        Assert.Equal(Invalid, _domain.Pin(bad, 3));
        Assert.Equal(0, _domain.Extended(MmuExtendedCommand.TlbFlushLocal));
        Assert.Equal(1u, TestDomain.Frame(named).TypeCount);
        Assert.Equal(0, TestDomain.Frame(named).LinearBalance);
        Assert.Equal(PageType.L3, TestDomain.Frame(named).Type);
        new FrameAudit().Check();
    }

    /// <summary>Entries of some new tables of a level, each with tables of its own down to the leaves.</summary>
    private ulong[] Tables(int level)
    {
        ulong[] entries = new ulong[4];
        for (int i = 0; i < entries.Length; i++)
        {
            Mfn table = level == 1 ? _domain.NewPage() : _domain.NewTable(Tables(level - 1));
            entries[i] = TestDomain.Entry(table, TestDomain.TableFlags);
        }

        return entries;
    }
}
