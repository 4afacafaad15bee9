// memory_op: the balloon, exchange, maps and lists.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class MemoryOpTests
{
    private const ulong Populate = 6;
    private const ulong Decrease = 1;
    private const ulong Increase = 0;

    private readonly TestDomain _domain = TestDomain.Create();

    [Fact]
    public void TheBalloonGoesDownAndUp()
    {
        ulong before = _domain.Domain.Memory.TotalPages;
        Mfn frame = _domain.NewPage();
        PhysicalMemory.Word(frame, 3) = 0x5EC2E7;
        Assert.Equal(1, _domain.Decrease(frame));
        Assert.Equal(before, _domain.Domain.Memory.TotalPages);
        Assert.Equal(FrameInfo.FreeOwner, TestDomain.Frame(frame).Owner);
        Assert.Equal(MachineToPhysical.InvalidEntry, MachineToPhysical.Get(frame));
        Assert.Equal(0, _domain.Decrease(frame));
        Assert.Equal(3, _domain.Populate(100, 3));
        Assert.Equal(before + 3, _domain.Domain.Memory.TotalPages);
        for (int i = 0; i < 3; i++)
        {
            Mfn got = new(_domain.Load(512 + (i * 8)));
            Assert.Equal(_domain.Id, TestDomain.Frame(got).Owner);
            Assert.Equal(100UL + (ulong)i, MachineToPhysical.Get(got));
            Assert.Equal(-1, PhysicalMemory.Bytes(got).IndexOfAnyExcept((byte)0));
        }
    }

    [Fact]
    public void FramesComeWithoutTheirFormerContents()
    {
        // What no domain has ever had, the firmware may have used.
        Assert.True(FrameAllocator.TryAllocate(4, 64, out Mfn first));
        for (ulong i = 0; i < 16; i++)
        {
            PhysicalMemory.Bytes(first.Add(i)).Fill(0xA5);
        }

        FrameAllocator.Free(first, 4);
        Assert.Equal(16, _domain.Populate(0, 16));
        for (int i = 0; i < 16; i++)
        {
            Assert.Equal(-1, PhysicalMemory.Bytes(new Mfn(_domain.Load(512 + (i * 8)))).IndexOfAnyExcept((byte)0));
        }

        Mfn[] leaving = [_domain.NewPage(), _domain.NewPage()];
        PhysicalMemory.Bytes(leaving[0]).Fill(0x5A);
        PhysicalMemory.Bytes(leaving[1]).Fill(0x5A);
        Assert.Equal(0, _domain.Exchange(0, 7, 0, leaving));
        Assert.Equal(-1, PhysicalMemory.Bytes(new Mfn(_domain.Load(1024))).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void ABalloonedFrameThatIsStillMappedLivesOn()
    {
        Mfn frame = _domain.NewPage();
        _domain.SetWindow(0, TestDomain.Entry(frame, TestDomain.ReadWrite));
        Assert.Equal(1, _domain.Decrease(frame));
        Assert.Equal(_domain.Id, TestDomain.Frame(frame).Owner);
        Assert.Equal(0, _domain.SetWindow(0, 0));
        Assert.Equal(FrameInfo.FreeOwner, TestDomain.Frame(frame).Owner);
    }

    [Fact]
    public void NothingIsGivenAboveTheMaximum()
    {
        _domain.Domain.Memory.MaximumPages = _domain.Domain.Memory.TotalPages + 2;
        Assert.Equal(2, _domain.Populate(0, 3));
        Assert.Equal(0, _domain.Populate(0, 1));
    }

    [Theory]
    [InlineData(10u, 0u)]
    [InlineData(0u, 12u)]
    [InlineData(0u, 5u)]
    public void SizesThatAreRefusedGiveNoExtent(uint order, uint addressBits)
    {
        _domain.Store(512, 0);
        _domain.StoreReservation(0, _domain.Arguments + 512, 1, order, addressBits);
        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, Populate, _domain.Arguments));
        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, Increase, _domain.Arguments));
    }

    [Fact]
    public void ListsThatCannotBeCountedGiveNoExtent()
    {
        _domain.StoreReservation(0, _domain.Arguments + 512, 0x400_0000, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, Decrease, _domain.Arguments));
        _domain.StoreReservation(0, _domain.Arguments + 512, ulong.MaxValue, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, Populate, _domain.Arguments));
        _domain.StoreReservation(0, GuestAddress.HypervisorStart, 1, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, Populate, _domain.Arguments));
        Assert.Equal(5, _domain.Call(HypercallNumber.MemoryOp, Populate | (5 << 6), 0x1000_0000));
    }

    [Fact]
    public void LongListsArePreemptedAndCompleted()
    {
        Preemption.SliceTicks = 0;
        Assert.Equal(20, _domain.Populate(50, 20));
        Mfn[] frames = new Mfn[20];
        for (int i = 0; i < 20; i++)
        {
            frames[i] = new Mfn(_domain.Load(512 + (i * 8)));
            Assert.Equal(50UL + (ulong)i, MachineToPhysical.Get(frames[i]));
        }

        Assert.Equal(20, _domain.Decrease(frames));
    }

    [Fact]
    public void ExchangeIsAllOrNothing()
    {
        Mfn[] frames = new Mfn[4];
        for (int i = 0; i < 4; i++)
        {
            frames[i] = _domain.NewPage();
        }

        ulong pages = _domain.Domain.Memory.TotalPages;
        ulong free = FrameAllocator.FreeFrames;
        _domain.SetWindow(0, TestDomain.Entry(frames[3], TestDomain.Present));
        Assert.Equal(-(long)XenError.Invalid, _domain.Exchange(2, 40, 0, frames));
        _domain.SetWindow(0, 0);
        Assert.Equal(-(long)XenError.Invalid, _domain.Exchange(1, 40, 0, frames[0], frames[0]));
        Assert.Equal(-(long)XenError.Invalid, _domain.Exchange(1, 40, 0, frames[0], _domain.WindowL1));
        Assert.Equal(-(long)XenError.NoMemory, _domain.Exchange(2, 40, 13, frames));
        Assert.Equal(0UL, _domain.Load(64));
        for (int i = 0; i < 4; i++)
        {
            Assert.True(TestDomain.Frame(frames[i]).IsAllocated);
            Assert.Equal(1u, TestDomain.Frame(frames[i]).GeneralCount);
        }

        Assert.Equal(free, FrameAllocator.FreeFrames);
        Assert.Equal(0, _domain.Exchange(2, 40, 0, frames));
        Assert.Equal(4UL, _domain.Load(64));
        Mfn first = new(_domain.Load(1024));
        for (ulong i = 0; i < 4; i++)
        {
            Assert.True(FrameTable.IsOwnedBy(first.Add(i), _domain.Id));
            Assert.Equal(40 + i, MachineToPhysical.Get(first.Add(i)));
        }

        Assert.Equal(pages, _domain.Domain.Memory.TotalPages);
        Assert.Equal(free, FrameAllocator.FreeFrames);
    }

    [Fact]
    public void ExchangeReadsAllItsListsBeforeItActs()
    {
        Mfn frame = _domain.NewPage();
        _domain.StoreReservation(0, _domain.Arguments + 512, 1, 0);
        _domain.StoreReservation(32, 0x1000_0000, 1, 0);
        _domain.Store(64, 0);
        _domain.Store(512, frame.Value);
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.MemoryOp, 11, _domain.Arguments));
        Assert.True(TestDomain.Frame(frame).IsAllocated);
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
    }

    [Theory]
    [InlineData(1UL, 10u, 1UL, 10u, 0UL, XenError.NotPermitted)]
    [InlineData(3UL, 0u, 1UL, 1u, 0UL, XenError.Invalid)]
    [InlineData(2UL, 0u, 2UL, 1u, 0UL, XenError.Invalid)]
    [InlineData(1UL, 0u, 1UL, 0u, 2UL, XenError.Invalid)]
    [InlineData(4UL, 0u, 2UL, 1u, 1UL, XenError.Invalid)]
    [InlineData(0x1_0000_0000UL, 0u, 0x1_0000_0000UL, 0u, 0UL, XenError.Invalid)]
    public void ExchangesThatDoNotMatch(ulong inCount, uint inOrder, ulong outCount, uint outOrder, ulong done, XenError expected)
    {
        _domain.StoreReservation(0, _domain.Arguments + 512, inCount, inOrder);
        _domain.StoreReservation(32, _domain.Arguments + 1024, outCount, outOrder);
        _domain.Store(64, done);
        Assert.Equal(-(long)expected, _domain.Call(HypercallNumber.MemoryOp, 11, _domain.Arguments));
    }

    [Fact]
    public void ExchangeSplitsLargeExtentsToo()
    {
        Assert.Equal(1, _domain.Populate(64, 1, 2));
        ulong large = _domain.Load(512);
        _domain.StoreReservation(0, _domain.Arguments + 512, 1, 2);
        _domain.StoreReservation(32, _domain.Arguments + 1024, 4, 0);
        _domain.Store(64, 0);
        _domain.Store(512, large);
        for (int i = 0; i < 4; i++)
        {
            _domain.Store(1024 + (i * 8), 200 + (ulong)i);
        }

        Assert.Equal(0, _domain.Call(HypercallNumber.MemoryOp, 11, _domain.Arguments));
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(200 + (ulong)i, MachineToPhysical.Get(new Mfn(_domain.Load(1024 + (i * 8)))));
        }
    }

    [Fact]
    public void Sizes()
    {
        _domain.Store(0, TestDomain.Self);
        Assert.Equal((long)_domain.Domain.Memory.TotalPages, Call(3));
        Assert.Equal(4096, Call(4));
        Assert.Equal((long)FrameTable.Count, Call(2));
        Assert.Equal(0, Call(14));
        PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.ArchMaximumPfn / 8) = 0x2000;
        Assert.Equal(0x1FFF, Call(14));
        _domain.Store(0, 44);
        Assert.Equal(-(long)XenError.NoSuchDomain, Call(3));
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.MemoryOp, 4, 0x1000_0000));
        Assert.Equal(-(long)XenError.Invalid, Call(3 | (1 << 6)));
        TestDomain other = TestDomain.CreateOther(3);
        other.Store(0, 0);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.MemoryOp, 3, other.Arguments));
    }

    [Fact]
    public void ADomainsMemoryMapIsWhatItsControllerSets()
    {
        TestDomain other = TestDomain.CreateOther(3);
        Assert.Equal(-(long)XenError.NotImplemented, other.Call(HypercallNumber.MemoryOp, 9, other.Arguments));
        _domain.Store(0, 3);
        _domain.Store(8, 2);
        _domain.Store(16, _domain.Arguments + 512);
        for (int i = 0; i < 40; i += 8)
        {
            _domain.Store(512 + i, 0x1111_1111_1111_1111 * (ulong)(i + 1));
        }

        Assert.Equal(0, Call(13));
        other.Store(0, 5);
        other.Store(8, other.Arguments + 512);
        Assert.Equal(0, other.Call(HypercallNumber.MemoryOp, 9, other.Arguments));
        Assert.Equal(2u, other.Load32(0));
        Assert.Equal(_domain.Load(512 + 32), other.Load(512 + 32));
        _domain.Store(8, 205);
        Assert.Equal(-(long)XenError.Invalid, Call(13));
        _domain.Store(8, 0);
        ulong free = FrameAllocator.FreeFrames;
        Assert.Equal(0, Call(13));
        Assert.Equal(free + 1, FrameAllocator.FreeFrames);
        Assert.Equal(-(long)XenError.NotImplemented, other.Call(HypercallNumber.MemoryOp, 9, other.Arguments));
        other.Store(0, 0);
        other.Store(8, 0);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.MemoryOp, 13, other.Arguments));
    }

    [Fact]
    public void ToolsMayMapTheM2pAndOnlyReadIt()
    {
        _domain.Store(0, 100);
        _domain.Store(8, _domain.Arguments + 512);
        Assert.Equal(0, Call(5));
        Assert.NotEqual(0u, _domain.Load32(16));
        Mfn first = new(_domain.Load(512));
        Assert.Equal(0UL, first.Value % 512);
        ulong foreign = DomainIds.Xen;
        ulong slot = TestDomain.EntryAddress(_domain.WindowL1, 4);
        Assert.Equal(-(long)XenError.Busy, _domain.MmuUpdate(slot, TestDomain.Entry(first, TestDomain.ReadWrite), foreign));
        Assert.Equal(0, _domain.MmuUpdate(slot, TestDomain.Entry(first, TestDomain.Present), foreign));
        Assert.Equal(-(long)XenError.Busy, _domain.MmuUpdate(slot, TestDomain.Entry(new Mfn(300), TestDomain.Present), foreign));
        Assert.Equal(0, _domain.SetWindow(4, 0));
        Assert.Equal(0, Call(25));
        TestDomain other = TestDomain.CreateOther(3);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.MemoryOp, 5, other.Arguments));
    }

    [Fact]
    public void ClaimsKeepMemoryBack()
    {
        TestDomain other = TestDomain.CreateOther(3);
        ulong had = other.Domain.Memory.TotalPages;
        _domain.Domain.Memory.MaximumPages = 100_000;
        other.Domain.Memory.MaximumPages = 100_000;
        ulong free = FrameAllocator.FreeFrames;
        Assert.Equal(-(long)XenError.NoMemory, Claim(3, had + free + 1));
        Assert.Equal(-(long)XenError.Invalid, Claim(3, had));
        Assert.Equal(-(long)XenError.Invalid, Claim(9, 1));
        Assert.Equal(0, Claim(3, had + free - 1));
        Assert.Equal(-(long)XenError.Invalid, Claim(3, had + 1));
        Assert.Equal(1, _domain.Populate(0, 2));
        Assert.Equal(2, other.Populate(0, 2));
        _domain.Enter(0);
        Assert.Equal(0, Claim(3, 0));
        Assert.Equal(0UL, FrameAllocator.StakedFrames);
        Assert.Equal(2, _domain.Populate(0, 2));
    }

    [Fact]
    public void AControllerListsTheFramesOfAGrantTable()
    {
        TestDomain other = TestDomain.CreateOther(3);
        StoreResource(3, 1, 0, 0, 0, 0);
        Assert.Equal(0, Call(28));
        Assert.Equal((uint)DomainGrants.MaximumFrames, _domain.Load32(8));
        StoreResource(3, 1, 0, 2, 0, _domain.Arguments + 512);
        Assert.Equal(0, Call(28));
        Assert.Equal(2, other.Domain.Grants.FrameCount);
        Mfn second = new(_domain.Load(520));
        Assert.Equal(other.Domain.Grants.FrameAt(1).Value, second.Value);
        Assert.Equal(0, _domain.MmuUpdate(TestDomain.EntryAddress(_domain.WindowL1, 4), TestDomain.Entry(second, TestDomain.ReadWrite), 3));
        StoreResource(3, 1, 0, 2, 63, _domain.Arguments + 512);
        Assert.Equal(-(long)XenError.Invalid, Call(28));
        StoreResource(3, 1, 1, 1, 0, _domain.Arguments + 512);
        Assert.Equal(-(long)XenError.Invalid, Call(28));
        StoreResource(3, 0, 0, 1, 0, _domain.Arguments + 512);
        Assert.Equal(-(long)XenError.Invalid, Call(28));
        StoreResource(8, 1, 0, 1, 0, _domain.Arguments + 512);
        Assert.Equal(-(long)XenError.NoSuchDomain, Call(28));
        StoreResource(3, 1, 0, 1, ulong.MaxValue, _domain.Arguments + 512);
        Assert.Equal(-(long)XenError.Invalid, Call(28));
    }

    [Theory]
    [InlineData(7UL, XenError.AccessDenied)]
    [InlineData(15UL, XenError.AccessDenied)]
    [InlineData(23UL, XenError.AccessDenied)]
    [InlineData(26UL, XenError.NotSupported)]
    [InlineData(16UL, XenError.NotImplemented)]
    [InlineData(63UL, XenError.NotImplemented)]
    public void OperationsThatNoPvDomainHas(ulong operation, XenError expected)
    {
        _domain.Store(0, TestDomain.Self);
        Assert.Equal(-(long)expected, Call(operation));
    }

    [Fact]
    public void NoDeviceHasReservedMemory()
    {
        _domain.Store(0, 1UL | (9UL << 32));
        Assert.Equal(0, Call(27));
        Assert.Equal(0u, _domain.Load32(4));
        _domain.Store(0, 2);
        Assert.Equal(-(long)XenError.Invalid, Call(27));
    }

    private long Call(ulong operation) => _domain.Call(HypercallNumber.MemoryOp, operation, _domain.Arguments);

    private long Claim(ushort domain, ulong pages)
    {
        _domain.StoreReservation(0, 0, pages, 0);
        _domain.Store(24, domain);
        return Call(24);
    }

    private void StoreResource(ushort domain, ushort type, uint id, uint count, ulong first, ulong list)
    {
        _domain.Store(0, domain | ((ulong)type << 16) | ((ulong)id << 32));
        _domain.Store(8, count);
        _domain.Store(16, first);
        _domain.Store(24, list);
    }
}
