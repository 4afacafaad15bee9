// Single rules of the page-type system, each with the attack that it stops.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

public sealed class PageTypeTests
{
    private const ulong EveryStep = 0;
    private const long Invalid = -(long)XenError.Invalid;

    /// <summary>
    /// Vcpu 0 unpins a tree and is interrupted within the L2 table; vcpu 1 makes that table its own. When vcpu 0 goes on, the table is
    /// vcpu 1's: dropping it once more would leave a page table in use that its guest can write.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ATableThatAnotherVcpuTookOverDuringItsTeardownStaysWithIt(bool failsToBuild)
    {
        TestDomain domain = TestDomain.Create();
        Mfn[] leaves = [domain.NewPage(), domain.NewPage(), domain.NewPage(), domain.NewPage()];
        Mfn table = domain.NewTable([.. Array.ConvertAll(leaves, leaf => TestDomain.Entry(leaf, TestDomain.TableFlags))]);

        // A bad entry last: the promotion of the tree fails, and what it took is given back in steps.
        ulong bad = failsToBuild ? TestDomain.Entry(leaves[0], TestDomain.TableFlags | PageTableEntry.LargePage) : 0;
        Mfn top = domain.NewTable(TestDomain.Entry(table, TestDomain.TableFlags), bad);
        Assert.Equal(failsToBuild ? Invalid : 0, domain.Pin(top, 3));
        Preemption.SliceTicks = EveryStep;
        if (!failsToBuild)
        {
            Assert.Equal(0, domain.Unpin(top));
        }

        // One more step of vcpu 0 at a time, until the inner table is half taken down.
        for (int i = 0; i < 20 && !TestDomain.Frame(table).IsDismantling; i++)
        {
            domain.Begin(HypercallNumber.MmuExtendedOp, domain.Arguments, 0, 0, TestDomain.Self);
            domain.TryStep(out _);
        }

        Assert.True(TestDomain.Frame(table).IsDismantling);
        domain.Enter(1);
        Assert.Equal(0, domain.Pin(table, 2));
        Mfn other = domain.NewTable(TestDomain.Entry(table, TestDomain.TableFlags));
        Assert.Equal(0, domain.Pin(other, 3));
        Assert.Equal(2u, TestDomain.Frame(table).TypeCount);

        domain.Enter(0);
        Assert.Equal(0, domain.Extended(MmuExtendedCommand.TlbFlushLocal));
        Assert.Equal(0u, TestDomain.Frame(top).TypeCount);
        Assert.Equal(2u, TestDomain.Frame(table).TypeCount);
        Assert.Equal(0, domain.Unpin(table));
        Assert.Equal(-(long)XenError.Busy, domain.SetWindow(0, TestDomain.Entry(table, TestDomain.ReadWrite)));
        new FrameAudit().Check();
    }

    /// <summary>
    /// Two vcpus each have a table whose promotion failed at an entry that names the other's: the work on the one does not go round
    /// through the other without end, and both are given back.
    /// </summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void TablesThatWereRefusedBecauseOfEachOtherAreGivenBack(int level)
    {
        TestDomain domain = TestDomain.Create();
        Mfn first = domain.NewPage();
        Mfn second = domain.NewPage();
        ulong refused = TestDomain.Entry(first, PageTableEntry.Present | PageTableEntry.LargePage);
        PhysicalMemory.Word(first, 5) = TestDomain.Entry(second, TestDomain.TableFlags);
        PhysicalMemory.Word(second, 5) = TestDomain.Entry(first, TestDomain.TableFlags);
        PhysicalMemory.Word(second, 6) = refused;
        domain.Enter(0);
        Assert.Equal(Invalid, domain.Pin(first, level));
        Assert.True(TestDomain.Frame(first).IsDismantling);
        PhysicalMemory.Word(second, 6) = 0;
        domain.Enter(1);
        Assert.Equal(Invalid, domain.Pin(second, level));
        domain.Enter(0);
        Assert.Equal(0, domain.Extended(MmuExtendedCommand.TlbFlushLocal));
        domain.Enter(1);
        Assert.Equal(0, domain.Extended(MmuExtendedCommand.TlbFlushLocal));
        Assert.Equal((0u, 0u), (TestDomain.Frame(first).TypeCount, TestDomain.Frame(second).TypeCount));
        new FrameAudit().Check();
    }

    /// <summary>The clock that Domain 0 may only read stays so when only the right to write is asked for, as its own or as I/O.</summary>
    [Theory]
    [InlineData(DomainIds.Self)]
    [InlineData(DomainIds.Io)]
    public void AReadOnlyDevicePageNeverBecomesWritable(ushort owner)
    {
        TestDomain domain = TestDomain.Create();
        PlatformInfo.HpetAddress = 0x5000;
        ulong entry = TestDomain.Entry(new Mfn(5), TestDomain.Present | PageTableEntry.WriteThrough | PageTableEntry.CacheDisable);
        ulong at = TestDomain.EntryAddress(domain.WindowL1, 0);
        Assert.Equal(0, domain.MmuUpdate(at, entry, owner));
        Assert.Equal(0, domain.MmuUpdate(at, entry | PageTableEntry.Writable, owner));
        Assert.Equal(0ul, PhysicalMemory.Word(domain.WindowL1, 0) & PageTableEntry.Writable);
        new FrameAudit().Check();
    }

    /// <summary>Device frames have no counts; one that goes below zero would be a reference out of nothing.</summary>
    [Theory]
    [InlineData(DomainIds.Self)]
    [InlineData(DomainIds.Io)]
    public void ADevicePageIsNeverCounted(ushort owner)
    {
        TestDomain domain = TestDomain.Create();
        ulong entry = TestDomain.Entry(new Mfn(6), TestDomain.Present | PageTableEntry.WriteThrough | PageTableEntry.CacheDisable);
        ulong at = TestDomain.EntryAddress(domain.WindowL1, 0);
        foreach (ulong value in new[] { entry, entry | PageTableEntry.Writable, entry, entry | PageTableEntry.Writable, 0UL })
        {
            Assert.Equal(0, domain.MmuUpdate(at, value, owner));
            new FrameAudit().Check();
        }
    }

    /// <summary>A frame number that wraps to a good one when it becomes an address is not that frame.</summary>
    [Theory]
    [InlineData(MmuExtendedCommand.NewUserBasePointer, 1UL << 52)]
    [InlineData(MmuExtendedCommand.NewBasePointer, 1UL << 52)]
    [InlineData(MmuExtendedCommand.NewBasePointer, 0UL)]
    [InlineData(MmuExtendedCommand.NewUserBasePointer, ~0UL)]
    public void ARootMustBeAFrameOfTheDomain(MmuExtendedCommand command, ulong bits)
    {
        TestDomain domain = TestDomain.Create();
        Assert.Equal(Invalid, domain.Extended(command, bits));
        Assert.Equal(Invalid, domain.Extended(command, domain.KernelL4.Value | (1UL << 52)));
        Assert.Equal(domain.KernelL4.Address.Value, domain.Vcpu(0).Context.KernelRoot);
        Assert.Equal(0ul, domain.Vcpu(0).Context.UserRoot);
    }

    [Fact]
    public void CopyPageRefusesAFrameThatDoesNotExist()
    {
        TestDomain domain = TestDomain.Create();
        Mfn page = domain.NewTable(0x1234);
        Assert.Equal(Invalid, domain.Extended(MmuExtendedCommand.CopyPage, page.Value, Mfn.Invalid.Value));
        Assert.Equal(0x1234ul, PhysicalMemory.Word(page, 0));
        Assert.Equal(0u, TestDomain.Frame(page).TypeCount);
    }

    /// <summary>A guest that reads the LDT window itself faults there as often as it likes.</summary>
    [Fact]
    public void AFaultInTheLdtWindowTakesAtMostOneReferencePerPage()
    {
        TestDomain domain = TestDomain.Create();
        Mfn page = domain.NewPage();
        Assert.Equal(0, domain.SetWindow(0, TestDomain.Entry(page, TestDomain.Present)));
        Assert.Equal(0, domain.Extended(MmuExtendedCommand.SetLdt, TestDomain.Window(0), 16));
        Assert.True(LocalDescriptorTable.TryMapPage(ref domain.Vcpu(0), 8));
        Assert.False(LocalDescriptorTable.TryMapPage(ref domain.Vcpu(0), 8));
        Assert.Equal(1u, TestDomain.Frame(page).TypeCount);
        Assert.Equal(0, domain.Extended(MmuExtendedCommand.SetLdt));
        Assert.Equal(0u, TestDomain.Frame(page).TypeCount);
        new FrameAudit().Check();
    }
}
