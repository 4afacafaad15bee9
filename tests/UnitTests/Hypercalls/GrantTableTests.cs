// grant_table_op: mapping, unmapping, copying and giving away pages between two domains, and within one.
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class GrantTableTests
{
    private const uint Host = GrantMapFlags.HostMap;
    private const uint Device = GrantMapFlags.DeviceMap;
    private const uint ReadOnly = GrantMapFlags.ReadOnly;

    private readonly TestDomain _mapper;
    private readonly TestDomain _granter;

    public GrantTableTests()
    {
        _mapper = TestDomain.Create();
        _granter = TestDomain.CreateOther(1);
        Assert.True(GrantTable.TryGrow(ref _granter.Domain, 1));
        Assert.True(GrantTable.TryGrow(ref _mapper.Domain, 1));
        _mapper.Enter(0);
    }

    [Theory]
    [InlineData(Host)]
    [InlineData(Host | ReadOnly)]
    [InlineData(Host | GrantMapFlags.ApplicationMap)]
    [InlineData(Host | Device)]
    [InlineData(Host | Device | ReadOnly)]
    [InlineData(Device)]
    [InlineData(Device | ReadOnly)]
    [InlineData(Host | (5u << GrantMapFlags.AvailableShift))]
    public void MappingHoldsTheFrameAndUnmappingLetsItGo(uint flags)
    {
        Mfn frame = Grant(7, GrantEntryFlags.PermitAccess);
        FrameInfo before = TestDomain.Frame(frame);
        Assert.Equal(GrantStatus.Okay, Map(7, flags, TestDomain.Window(3), out uint handle));
        Assert.Equal(frame.Address.Value, _mapper.Load(24));
        bool writes = (flags & ReadOnly) == 0;
        uint mappings = ((flags & Host) != 0 ? 1u : 0) + ((flags & Device) != 0 ? 1u : 0);
        Assert.Equal(before.GeneralCount + mappings, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(writes ? mappings : 0, TestDomain.Frame(frame).TypeCount);
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading | (writes ? GrantEntryFlags.Writing : 0), Flags(7));
        if ((flags & Host) != 0)
        {
            PageTableEntry entry = new(PhysicalMemory.Word(_mapper.WindowL1, 3));
            Assert.Equal(frame.Value, entry.Frame.Value);
            Assert.Equal(writes, entry.IsWritable);
            Assert.True(entry.Has(PageTableEntry.Present | PageTableEntry.User | PageTableEntry.Accessed | PageTableEntry.Dirty | PageTableEntry.NoExecute));
            Assert.Equal((flags & GrantMapFlags.ApplicationMap) == 0, entry.Has(PageTableEntry.GuestKernel));
            Assert.Equal((ulong)(flags >> GrantMapFlags.AvailableShift) << 9, entry.Value & PageTableEntry.AvailableLow);
        }

        Assert.Equal(GrantStatus.Okay, Unmap(handle, (flags & Host) != 0 ? TestDomain.Window(3) : 0, (flags & Device) != 0 ? frame.Address.Value : 0));
        Assert.Equal(before.GeneralCount, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(0u, TestDomain.Frame(frame).TypeCount);
        Assert.Equal(GrantEntryFlags.PermitAccess, Flags(7));
        Assert.Equal(0UL, PhysicalMemory.Word(_mapper.WindowL1, 3));
        Assert.Equal(GrantStatus.BadHandle, Unmap(handle, TestDomain.Window(3), 0));
    }

    [Fact]
    public void MappingsOfOneGrantAreCountedTogether()
    {
        Mfn frame = Grant(1, GrantEntryFlags.PermitAccess);
        Map(1, Host | ReadOnly, TestDomain.Window(1), out uint first);
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading, Flags(1));
        Map(1, Host, TestDomain.Window(2), out uint second);
        Map(1, Host | ReadOnly, TestDomain.Window(4), out uint third);
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading | GrantEntryFlags.Writing, Flags(1));
        Assert.Equal(4u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(GrantStatus.Okay, Unmap(second, TestDomain.Window(2), 0));
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading, Flags(1));
        Assert.Equal(GrantStatus.Okay, Unmap(first, TestDomain.Window(1), 0));
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading, Flags(1));
        Assert.Equal(GrantStatus.Okay, Unmap(third, TestDomain.Window(4), 0));
        Assert.Equal(GrantEntryFlags.PermitAccess, Flags(1));
    }

    [Fact]
    public void TheFirstUserFixesFrameAndDomain()
    {
        Mfn frame = Grant(1, GrantEntryFlags.PermitAccess);
        Map(1, Host | ReadOnly, TestDomain.Window(1), out uint _);
        Mfn other = _granter.NewPage();
        SetEntry(1, GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading, _mapper.Id, other);
        Assert.Equal(GrantStatus.Okay, Map(1, Host | ReadOnly, TestDomain.Window(2), out uint _));
        Assert.Equal(frame.Value, new PageTableEntry(PhysicalMemory.Word(_mapper.WindowL1, 2)).Frame.Value);
        TestDomain third = TestDomain.CreateOther(2);
        SetEntry(1, GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading, third.Id, frame);
        Assert.Equal(GrantStatus.GeneralError, MapFor(third, 1, Host | ReadOnly, TestDomain.Window(1), out _));
    }

    [Fact]
    public void AMappingByTheAddressOfItsEntry()
    {
        Mfn frame = Grant(9, GrantEntryFlags.PermitAccess);
        const uint Flags = Host | GrantMapFlags.ContainsPte | GrantMapFlags.ApplicationMap;
        Assert.Equal(GrantStatus.GeneralError, Map(9, Flags, TestDomain.EntryAddress(_mapper.WindowL1, 6) + 4, out _));
        Assert.Equal(GrantStatus.GeneralError, Map(9, Flags, TestDomain.EntryAddress(_mapper.KernelL3, 6), out _));
        Assert.Equal(GrantStatus.GeneralError, Map(9, Flags, TestDomain.EntryAddress(_mapper.NewPage(), 6), out _));
        Assert.Equal(GrantStatus.GeneralError, Map(9, Flags, TestDomain.EntryAddress(_granter.WindowL1, 6), out _));
        Assert.Equal(GrantEntryFlags.PermitAccess, this.Flags(9));
        Assert.Equal(GrantStatus.Okay, Map(9, Flags, TestDomain.EntryAddress(_mapper.WindowL1, 6), out uint handle));
        Assert.Equal(frame.Value, new PageTableEntry(PhysicalMemory.Word(_mapper.WindowL1, 6)).Frame.Value);
        Assert.Equal(GrantStatus.GeneralError, Unmap(handle, TestDomain.EntryAddress(_mapper.WindowL1, 7), 0));
        Assert.Equal(GrantStatus.Okay, Unmap(handle, TestDomain.EntryAddress(_mapper.WindowL1, 6), 0));
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(GrantEntryFlags.AcceptTransfer)]
    [InlineData(3u)]
    [InlineData(GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly)]
    [InlineData(GrantEntryFlags.PermitAccess | GrantEntryFlags.SubPage)]
    public void AnEntryThatDoesNotPermitIsLeftAlone(uint entryFlags)
    {
        Mfn frame = Grant(5, entryFlags);
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, TestDomain.Window(1), out _));
        Assert.Equal(entryFlags, Flags(5));
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(0UL, PhysicalMemory.Word(_mapper.WindowL1, 1));
    }

    [Fact]
    public void WhatCannotBeMapped()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Assert.Equal(GrantStatus.BadReference, Map(5, ReadOnly, TestDomain.Window(1), out _));
        Assert.Equal(GrantStatus.BadReference, Map(512, Host, TestDomain.Window(1), out _));
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, 0x7000_0000, out _));
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, GuestAddress.HypervisorStart, out _));
        Assert.Equal(GrantStatus.BadDomain, MapFor(_mapper, 5, Host, TestDomain.Window(1), out _, 9));
        Assert.Equal(GrantStatus.BadDomain, MapFor(_mapper, 5, Host, TestDomain.Window(1), out _, DomainIds.Self));
        SetEntry(5, GrantEntryFlags.PermitAccess, 3, frame);
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, TestDomain.Window(1), out _));
        SetEntry(5, GrantEntryFlags.PermitAccess, _mapper.Id, _mapper.NewPage());
        Assert.Equal(GrantStatus.BadPage, Map(5, Host, TestDomain.Window(1), out _));
        SetEntry(5, GrantEntryFlags.PermitAccess, _mapper.Id, new Mfn(0xFFFF_FFFF));
        Assert.Equal(GrantStatus.BadPage, Map(5, Host | ReadOnly, TestDomain.Window(1), out _));
        Assert.Equal(GrantEntryFlags.PermitAccess, Flags(5));

        // A page table may be shown to others, never lent for writing.
        SetEntry(5, GrantEntryFlags.PermitAccess, _mapper.Id, _granter.WindowL1);
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, TestDomain.Window(1), out _));
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host | Device, TestDomain.Window(1), out _));
        Assert.Equal(GrantStatus.Okay, Map(5, Host | ReadOnly, TestDomain.Window(1), out _));
    }

    [Fact]
    public void APageLentForWritingCannotBecomeATable()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Map(5, Host, TestDomain.Window(1), out uint handle);
        Assert.Equal(-(long)XenError.Invalid, _granter.Pin(frame, 1));
        _mapper.Enter(0);
        Unmap(handle, TestDomain.Window(1), 0);
        Assert.Equal(0, _granter.Pin(frame, 1));
    }

    [Fact]
    public void UnmappingWantsTheRightEntry()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Grant(6, GrantEntryFlags.PermitAccess);
        Map(5, Host, TestDomain.Window(1), out uint handle);
        Map(6, Host, TestDomain.Window(2), out _);
        Map(5, Host | ReadOnly, TestDomain.Window(3), out _);
        Assert.Equal(GrantStatus.GeneralError, Unmap(handle, TestDomain.Window(2), 0));
        Assert.Equal(GrantStatus.GeneralError, Unmap(handle, TestDomain.Window(3), 0));
        Assert.Equal(GrantStatus.GeneralError, Unmap(handle, TestDomain.Window(4), 0));
        Map(6, Device, 0, out uint device);
        Assert.Equal(GrantStatus.BadDeviceAddress, Unmap(device, 0, frame.Address.Value));
        Assert.Equal(GrantStatus.BadHandle, Unmap(handle + 100, TestDomain.Window(1), 0));
        Assert.Equal(GrantStatus.BadHandle, Unmap(uint.MaxValue, TestDomain.Window(1), 0));

        // Address 0 names nothing: the mapping stays.
        Assert.Equal(GrantStatus.Okay, Unmap(handle, 0, 0));
        Assert.Equal(3u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(GrantStatus.Okay, Unmap(handle, TestDomain.Window(1), 0));
        Assert.Equal(2u, TestDomain.Frame(frame).GeneralCount);
    }

    [Fact]
    public void AnEntryOverwrittenByOtherMeansTakesItsReferencesWithIt()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Map(5, Host, TestDomain.Window(1), out uint handle);
        Assert.Equal(0, _mapper.SetWindow(1, 0));
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(0u, TestDomain.Frame(frame).TypeCount);
        Assert.Equal(GrantStatus.GeneralError, Unmap(handle, TestDomain.Window(1), 0));
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);

        // The granting domain still sees the page in use: the handle has not been given up.
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.Reading | GrantEntryFlags.Writing, Flags(5));
    }

    [Fact]
    public void MappingReplacesWhatTheSlotHeld()
    {
        Mfn own = _mapper.NewPage();
        Assert.Equal(0, _mapper.SetWindow(1, TestDomain.Entry(own, TestDomain.ReadWrite)));
        Assert.Equal(2u, TestDomain.Frame(own).GeneralCount);
        Grant(5, GrantEntryFlags.PermitAccess);
        Map(5, Host, TestDomain.Window(1), out _);
        Assert.Equal(1u, TestDomain.Frame(own).GeneralCount);
        Assert.Equal(0u, TestDomain.Frame(own).TypeCount);
    }

    [Fact]
    public void ReplacingMovesAnotherEntryIntoThePlace()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Mfn own = _mapper.NewPage();
        Assert.Equal(0, _mapper.SetWindow(2, TestDomain.Entry(own, TestDomain.ReadWrite)));
        Map(5, Host, TestDomain.Window(1), out uint handle);
        Assert.Equal(GrantStatus.GeneralError, Replace(handle, TestDomain.Window(1), TestDomain.Window(1)));
        Assert.Equal(GrantStatus.GeneralError, Replace(handle, TestDomain.Window(1), 0x1000_0000));
        Assert.Equal(GrantStatus.Okay, Replace(handle, TestDomain.Window(1), TestDomain.Window(2)));
        Assert.Equal(own.Value, new PageTableEntry(PhysicalMemory.Word(_mapper.WindowL1, 1)).Frame.Value);
        Assert.Equal(0UL, PhysicalMemory.Word(_mapper.WindowL1, 2));
        Assert.Equal(2u, TestDomain.Frame(own).GeneralCount);
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(GrantEntryFlags.PermitAccess, Flags(5));
    }

    [Fact]
    public void NoReferenceIsDroppedWhileATranslationMayExist()
    {
        GuestMemory.KeepsTranslations = true;
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        Map(5, Host, TestDomain.Window(1), out uint handle);
        Assert.True(GuestMemory.TryWrite(new GuestAddress(TestDomain.Window(1)), 1UL));
        Unmap(handle, TestDomain.Window(1), 0);
        Assert.False(GuestMemory.TryWrite(new GuestAddress(TestDomain.Window(1)), 2UL));
        Assert.Equal(1UL, PhysicalMemory.Word(frame, 0));
    }

    /// <summary>
    /// The mapper overwrites its entry without a flush, as it may. Before the lent page becomes a table, the processor that runs the
    /// mapper must forget that it could write it, although the granting domain has never been there.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TranslationsOfALentPageAreDroppedWhereTheMapperRuns(bool isLent)
    {
        if (isLent)
        {
            Grant(5, GrantEntryFlags.PermitAccess);
            Map(5, Host, TestDomain.Window(1), out _);
            _mapper.SetWindow(1, 0);
        }

        uint stamp = TlbClock.Stamp;
        ref Processor other = ref ProcessorTable.At(1);
        other = Processor.New(1, 1);
        other.LoadedDomain = _mapper.Id;
        ProcessorTable.Count = 2;
        TlbClock.RequestFlushSince(_granter.Id, stamp);
        ProcessorTable.Count = 1;
        bool isAsked = other.NeedsFlush;
        other = Processor.New(1, 1);
        TlbClock.Settle();
        Assert.Equal(isLent, isAsked);
    }

    [Fact]
    public void ABatchIsUnmappedWithOneFlush()
    {
        const int Count = 20;
        ulong[] handles = new ulong[Count];
        for (uint i = 0; i < Count; i++)
        {
            Grant(i, GrantEntryFlags.PermitAccess);
            Map(i, Host, TestDomain.Window((int)i), out uint handle);
            handles[i] = handle;
        }

        for (int i = 0; i < Count; i++)
        {
            _mapper.Store(i * 24, TestDomain.Window(i));
            _mapper.Store((i * 24) + 8, 0);
            _mapper.Store((i * 24) + 16, handles[i]);
        }

        ulong flushes = Tlb.FlushCount;
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 1, _mapper.Arguments, Count));
        Assert.Equal(flushes + 1, Tlb.FlushCount);
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(0, Status((i * 24) + 20));
            Assert.Equal(GrantEntryFlags.PermitAccess, Flags((uint)i));
        }
    }

    [Fact]
    public void LongListsArePreemptedAndCompleted()
    {
        const int Count = 40;
        Preemption.SliceTicks = 0;
        Mfn[] frames = new Mfn[Count];
        for (int i = 0; i < Count; i++)
        {
            frames[i] = Grant((uint)i, GrantEntryFlags.PermitAccess);
            StoreMap(i * 32, (uint)i, Host, TestDomain.Window(i), _granter.Id);
        }

        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 0, _mapper.Arguments, Count));
        ulong[] handles = new ulong[Count];
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(0, Status((i * 32) + 18));
            handles[i] = _mapper.Load32((i * 32) + 20);
        }

        for (int i = 0; i < Count; i++)
        {
            _mapper.Store(i * 24, TestDomain.Window(i));
            _mapper.Store((i * 24) + 8, 0);
            _mapper.Store((i * 24) + 16, handles[i]);
        }

        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 1, _mapper.Arguments, Count));
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(0, Status((i * 24) + 20));
            Assert.Equal(1u, TestDomain.Frame(frames[i]).GeneralCount);
        }
    }

    [Fact]
    public void WhatCountsIsTheEntryAtTheTimeOfTheMark()
    {
        // Another processor of the granting domain withdraws the right to write once the request has been read.
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        GuestMemory.OnRead = (address, bytes) => SetEntry(5, GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly, _mapper.Id, frame);
        Assert.Equal(GrantStatus.GeneralError, Map(5, Host, TestDomain.Window(1), out _));
        GuestMemory.OnRead = null;
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
    }

    [Fact]
    public void ACounterThatIsFullRefusesWithoutHarm()
    {
        Mfn frame = Grant(5, GrantEntryFlags.PermitAccess);
        int mapped = 0;
        while (Map(5, Device | ReadOnly, 0, out uint _) == GrantStatus.Okay)
        {
            Assert.True(++mapped < 1000, "a counter of 8 bits takes no more than 128 users");
        }

        Assert.Equal(128, mapped);
        Assert.Equal(129u, TestDomain.Frame(frame).GeneralCount);
    }

    [Fact]
    public void ADomainMapsItsOwnGrant()
    {
        Mfn frame = _mapper.NewPage();
        _mapper.Domain.Grants.EntryAt(3) = GrantEntryFlags.PermitAccess | ((ulong)_mapper.Id << 16) | (frame.Value << 32);
        Assert.Equal(GrantStatus.Okay, MapFor(_mapper, 3, Host, TestDomain.Window(1), out uint handle, _mapper.Id));
        Assert.Equal(2u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(GrantStatus.Okay, Unmap(handle, TestDomain.Window(1), 0));
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void CopiesOfAllFourKinds(bool fromGrant, bool toGrant)
    {
        Mfn source = fromGrant ? Grant(1, GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly) : _mapper.NewPage();
        Mfn destination = toGrant ? Grant(2, GrantEntryFlags.PermitAccess) : _mapper.NewPage();
        for (int i = 0; i < 4096; i++)
        {
            PhysicalMemory.Byte(source, i) = (byte)(i ^ (i >> 8));
        }

        ushort flags = (ushort)((fromGrant ? 1 : 0) | (toGrant ? 2 : 0));
        ulong from = fromGrant ? 1UL : source.Value;
        ulong to = toGrant ? 2UL : destination.Value;
        Assert.Equal(GrantStatus.Okay, Copy(from, fromGrant ? _granter.Id : DomainIds.Self, 100, to, toGrant ? _granter.Id : DomainIds.Self, 3000, 1096, flags));
        for (int i = 0; i < 1096; i++)
        {
            Assert.Equal(PhysicalMemory.Byte(source, 100 + i), PhysicalMemory.Byte(destination, 3000 + i));
        }

        Assert.Equal(0, PhysicalMemory.Byte(destination, 2999));
        Assert.Equal(1u, TestDomain.Frame(source).GeneralCount);
        Assert.Equal(1u, TestDomain.Frame(destination).GeneralCount);
        Assert.Equal(0u, TestDomain.Frame(destination).TypeCount);
        Assert.Equal(fromGrant ? GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly : 0, Flags(1));
        Assert.Equal(toGrant ? GrantEntryFlags.PermitAccess : 0, Flags(2));
    }

    [Fact]
    public void CopiesThatAreRefused()
    {
        Mfn own = _mapper.NewPage();
        Mfn foreign = Grant(1, GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly);
        ushort self = DomainIds.Self;
        Assert.Equal(GrantStatus.PermissionDenied, Copy(foreign.Value, _granter.Id, 0, own.Value, self, 0, 8, 0));
        Assert.Equal(GrantStatus.BadDomain, Copy(1, 40, 0, own.Value, self, 0, 8, 1));
        Assert.Equal(GrantStatus.BadReference, Copy(9999, _granter.Id, 0, own.Value, self, 0, 8, 1));
        Assert.Equal(GrantStatus.BadPage, Copy(foreign.Value, self, 0, own.Value, self, 0, 8, 0));
        Assert.Equal(GrantStatus.BadCopyArgument, Copy(1, _granter.Id, 4090, own.Value, self, 0, 8, 1));
        Assert.Equal(GrantStatus.BadCopyArgument, Copy(1, _granter.Id, 0, own.Value, self, 4090, 8, 1));
        Assert.Equal(GrantStatus.BadCopyArgument, Copy(1, _granter.Id, 0xFFFF, own.Value, self, 0xFFFF, 0xFFFF, 1));
        Assert.Equal(GrantStatus.GeneralError, Copy(own.Value, self, 0, 1, _granter.Id, 0, 8, 2));
        Assert.Equal(GrantStatus.GeneralError, Copy(own.Value, self, 0, _mapper.WindowL1.Value, self, 0, 8, 0));
        Assert.Equal(1u, TestDomain.Frame(own).GeneralCount);
        Assert.Equal(1u, TestDomain.Frame(foreign).GeneralCount);
        Assert.Equal(GrantEntryFlags.PermitAccess | GrantEntryFlags.ReadOnly, Flags(1));
    }

    [Fact]
    public void TransferGivesAFrameAway()
    {
        Mfn frame = _mapper.NewPage();
        PhysicalMemory.Word(frame, 9) = 0x1234;
        ulong mine = _mapper.Domain.Memory.TotalPages;
        ulong theirs = _granter.Domain.Memory.TotalPages;
        SetEntry(4, GrantEntryFlags.AcceptTransfer, _mapper.Id, new Mfn(77));
        Assert.Equal(GrantStatus.GeneralError, Transfer(frame, 5));
        Assert.Equal(GrantStatus.Okay, Transfer(frame, 4));
        Assert.Equal(_granter.Id, TestDomain.Frame(frame).Owner);
        Assert.Equal(1u, TestDomain.Frame(frame).GeneralCount);
        Assert.Equal(PageType.None, TestDomain.Frame(frame).Type);
        Assert.Equal(77UL, MachineToPhysical.Get(frame));
        Assert.Equal(0x1234UL, PhysicalMemory.Word(frame, 9));
        Assert.Equal(mine - 1, _mapper.Domain.Memory.TotalPages);
        Assert.Equal(theirs + 1, _granter.Domain.Memory.TotalPages);
        Assert.Equal(GrantEntryFlags.AcceptTransfer | GrantEntryFlags.TransferCommitted | GrantEntryFlags.TransferCompleted, Flags(4));
        Assert.Equal(frame.Value, _granter.Domain.Grants.EntryAt(4) >> 32);
        Assert.Equal(GrantStatus.BadPage, Transfer(frame, 4));
    }

    [Fact]
    public void AFrameInUseIsNotTransferred()
    {
        SetEntry(4, GrantEntryFlags.AcceptTransfer, _mapper.Id, new Mfn(77));
        Mfn frame = _mapper.NewPage();
        _mapper.SetWindow(1, TestDomain.Entry(frame, TestDomain.Present));
        Assert.Equal(GrantStatus.BadPage, Transfer(frame, 4));
        Assert.Equal(GrantStatus.BadPage, Transfer(_mapper.WindowL1, 4));
        Assert.Equal(GrantStatus.BadPage, Transfer(_mapper.Domain.SharedInfo, 4));
        Assert.Equal(GrantEntryFlags.AcceptTransfer, Flags(4));
        Assert.True(TestDomain.Frame(frame).IsAllocated);
    }

    [Fact]
    public void SwapExchangesEntriesThatAreNotInUse()
    {
        Mfn frame = _mapper.NewPage();
        _mapper.Domain.Grants.EntryAt(3) = GrantEntryFlags.PermitAccess | ((ulong)_mapper.Id << 16) | (frame.Value << 32);
        ulong old = _mapper.Domain.Grants.EntryAt(3);
        Assert.Equal(GrantStatus.Okay, Swap(3, 4));
        Assert.Equal(old, _mapper.Domain.Grants.EntryAt(4));
        Assert.Equal(0UL, _mapper.Domain.Grants.EntryAt(3));
        Assert.Equal(GrantStatus.BadReference, Swap(3, 512));
        MapFor(_mapper, 4, Host, TestDomain.Window(1), out _, _mapper.Id);
        Assert.Equal(GrantStatus.Again, Swap(4, 3));
    }

    /// <summary>A new page of the granting domain, offered to the mapper under a reference.</summary>
    private Mfn Grant(uint reference, uint flags)
    {
        Mfn frame = _granter.NewPage();
        SetEntry(reference, flags, _mapper.Id, frame);
        return frame;
    }

    private void SetEntry(uint reference, uint flags, ushort user, Mfn frame)
        => _granter.Domain.Grants.EntryAt(reference) = flags | ((ulong)user << 16) | (frame.Value << 32);

    private uint Flags(uint reference) => (ushort)_granter.Domain.Grants.EntryAt(reference);

    private GrantStatus Map(uint reference, uint flags, ulong address, out uint handle) => MapFor(_mapper, reference, flags, address, out handle);

    private GrantStatus MapFor(TestDomain mapper, uint reference, uint flags, ulong address, out uint handle, ushort? granter = null)
    {
        StoreMap(0, reference, flags, address, granter ?? _granter.Id, mapper);
        Assert.Equal(0, mapper.Call(HypercallNumber.GrantTableOp, 0, mapper.Arguments, 1));
        handle = mapper.Load32(20);
        return (GrantStatus)(short)(mapper.Load32(16) >> 16);
    }

    private void StoreMap(int offset, uint reference, uint flags, ulong address, ushort granter, TestDomain? mapper = null)
    {
        mapper ??= _mapper;
        mapper.Store(offset, address);
        mapper.Store32(offset + 8, flags);
        mapper.Store32(offset + 12, reference);
        mapper.Store32(offset + 16, granter);
        mapper.Store32(offset + 20, 0);
        mapper.Store(offset + 24, 0);
    }

    private short Status(int offset) => (short)(_mapper.Load32(offset & ~3) >> ((offset & 2) * 8));

    private GrantStatus Unmap(uint handle, ulong address, ulong bus, ulong operation = 1)
    {
        _mapper.Store(0, address);
        _mapper.Store(8, bus);
        _mapper.Store(16, handle);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, operation, _mapper.Arguments, 1));
        return (GrantStatus)Status(20);
    }

    private GrantStatus Replace(uint handle, ulong address, ulong newAddress) => Unmap(handle, address, newAddress, 7);

    private GrantStatus Copy(ulong from, ushort fromDomain, ushort fromOffset, ulong to, ushort toDomain, ushort toOffset, ushort length, ushort flags)
    {
        _mapper.Store(0, from);
        _mapper.Store(8, fromDomain | ((ulong)fromOffset << 16));
        _mapper.Store(16, to);
        _mapper.Store(24, toDomain | ((ulong)toOffset << 16));
        _mapper.Store(32, length | ((ulong)flags << 16));
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 5, _mapper.Arguments, 1));
        return (GrantStatus)Status(36);
    }

    private GrantStatus Transfer(Mfn frame, uint reference)
    {
        _mapper.Store(0, frame.Value);
        _mapper.Store(8, _granter.Id | ((ulong)reference << 32));
        _mapper.Store(16, 0);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 4, _mapper.Arguments, 1));
        return (GrantStatus)Status(16);
    }

    private GrantStatus Swap(uint first, uint second)
    {
        _mapper.Store(0, first | ((ulong)second << 32));
        _mapper.Store(8, 0);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 11, _mapper.Arguments, 1));
        return (GrantStatus)Status(8);
    }
}
