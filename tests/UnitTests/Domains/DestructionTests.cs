// The end of a domain gives everything back, whatever the domain has done.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Domains;

public sealed class DestructionTests
{
    private const ushort Id = 1;
    private const int GrantReference = 9;
    private const ulong LongSlice = 1_000_000_000;

    public static IEnumerable<TheoryDataRow<int>> Seeds()
    {
        for (int seed = 1; seed <= 20; seed++)
        {
            yield return seed;
        }
    }

    /// <summary>A domain in the midst of random work on its page tables is destroyed in slices of any length: every frame is free again.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void EveryFrameComesBack(int seed)
    {
        TestDomain control = TestDomain.Create();
        FrameAudit audit = new();
        Warm(control);
        ulong free = FrameAllocator.FreeFrames;
        Random random = new(seed);
        TestDomain ordinary = TestDomain.CreateOther(Id, vcpus: 3);
        RandomGuest guest = new(ordinary, random);
        for (int step = random.Next(2000); step > 0; step--)
        {
            guest.Step();
        }

        control.Enter(0);
        Destroy(ordinary, random);
        Assert.False(DomainTable.IsTaken(Id));
        Assert.Equal(free, FrameAllocator.FreeFrames);
        TlbClock.Settle();
        audit.Check();
    }

    /// <summary>As above, while Domain 0 has mapped frames of the domain: they stay its own until Domain 0 lets go.</summary>
    [Theory]
    [InlineData(101)]
    [InlineData(102)]
    [InlineData(103)]
    [InlineData(104)]
    public void FramesThatAnotherHasMappedComeBackWithTheLastMapping(int seed)
    {
        TestDomain control = TestDomain.Create();
        Random random = new(seed);
        RandomGuest first = new(control, random);
        Warm(control);
        ulong free = FrameAllocator.FreeFrames;
        ulong had = control.Domain.Memory.OwnedFrames;
        TestDomain ordinary = TestDomain.CreateOther(Id, vcpus: 2);
        RandomGuest second = new(ordinary, random);
        first.Neighbour = second;
        for (int step = 0; step < 1500; step++)
        {
            (random.Next(2) == 0 ? first : second).Step();
        }

        control.Enter(0);
        Destroy(ordinary, random);
        first.Neighbour = null;
        first.PutEverythingBack();
        TlbClock.Settle();
        Assert.False(DomainTable.IsTaken(Id));
        Assert.Equal(free + had, FrameAllocator.FreeFrames + control.Domain.Memory.OwnedFrames);
    }

    /// <summary>A mapped grant keeps the domain's slot, its table and the frame; the last unmapping frees them.</summary>
    [Fact]
    public void AMappedGrantKeepsTheDeadDomainsSlot()
    {
        TestDomain control = TestDomain.Create();
        Warm(control);
        ulong free = FrameAllocator.FreeFrames;
        TestDomain granter = TestDomain.CreateOther(Id);
        Mfn frame = granter.NewPage();
        PhysicalMemory.Word(frame, 0) = 0x1234;
        granter.Domain.Grants.EntryAt(GrantReference) = GrantEntryFlags.PermitAccess | ((ulong)control.Id << 16) | (frame.Value << 32);
        control.Enter(0);
        long handle = MapGrant(control, TestDomain.Window(3), Id);
        Destroy(granter, new Random(1));
        Assert.Equal(DomainState.Dead, granter.Domain.State);
        Assert.Equal(0x1234UL, PhysicalMemory.Word(frame, 0));
        Assert.True(FrameTable.IsOwnedBy(frame, Id));

        control.Store(0, TestDomain.Window(3));
        control.Store(8, 0);
        control.Store(16, (ulong)handle);
        Assert.Equal(0, control.Call(HypercallNumber.GrantTableOp, 1, control.Arguments, 1));
        Assert.Equal(0, (short)control.Load32(20));
        Assert.False(DomainTable.IsTaken(Id));
        Assert.Equal(FrameInfo.FreeOwner, FrameTable.At(frame).Owner);

        // Domain 0 keeps the page that its handle is in.
        Assert.Equal(free - 1, FrameAllocator.FreeFrames);
    }

    /// <summary>A dying domain is of no use to anybody: no grant of it can be mapped, no channel bound, no frame named.</summary>
    [Fact]
    public void NothingNewRefersToADeadDomain()
    {
        TestDomain control = TestDomain.Create();
        TestDomain granter = TestDomain.CreateOther(Id);
        Mfn frame = granter.NewPage();
        granter.Domain.Grants.EntryAt(GrantReference) = GrantEntryFlags.PermitAccess | ((ulong)control.Id << 16) | (frame.Value << 32);
        granter.Domain.Grants.EntryAt(GrantReference + 1) = granter.Domain.Grants.EntryAt(GrantReference);
        control.Enter(0);
        MapGrant(control, TestDomain.Window(3), Id);
        Destroy(granter, new Random(1));
        Assert.Equal(DomainState.Dead, granter.Domain.State);
        Assert.True(MapGrant(control, TestDomain.Window(4), Id) < 0);
        Assert.Equal(-(long)XenError.NoSuchDomain, control.Call(HypercallNumber.UpdateVaMappingOtherDomain, TestDomain.Window(4), TestDomain.Entry(frame, TestDomain.ReadWrite), 0, Id));
        control.Store32(0, Id);
        control.Store32(4, 1);
        Assert.Equal(-(long)XenError.NoSuchDomain, control.Call(HypercallNumber.EventChannelOp, 0, control.Arguments));
    }

    /// <summary>Grants that the domain had mapped are free for their owner again.</summary>
    [Fact]
    public void WhatTheDomainHadMappedIsGivenBack()
    {
        TestDomain control = TestDomain.Create();
        TestDomain mapper = TestDomain.CreateOther(Id);
        Mfn frame = control.NewPage();
        control.Domain.Grants.EntryAt(GrantReference) = GrantEntryFlags.PermitAccess | ((ulong)Id << 16) | (frame.Value << 32);
        mapper.Enter(0);
        Assert.True(MapGrant(mapper, TestDomain.Window(3), control.Id) >= 0);
        Assert.NotEqual(0U, control.Domain.Grants.ActiveAt(GrantReference).Pins);
        control.Enter(0);
        Destroy(mapper, new Random(2));
        Assert.False(DomainTable.IsTaken(Id));
        Assert.Equal(0U, control.Domain.Grants.ActiveAt(GrantReference).Pins);
        Assert.Equal(0, control.Domain.Grants.PinnedEntries);
        Assert.Equal(GrantEntryFlags.PermitAccess, (uint)(ushort)control.Domain.Grants.EntryAt(GrantReference));
        Assert.Equal(1U, FrameTable.At(frame).GeneralCount);
        Assert.Equal(0U, FrameTable.At(frame).TypeCount);
    }

    /// <summary>The peer of the domain's channel waits, unbound, and can be closed.</summary>
    [Fact]
    public void ThePeerOfAChannelIsUnbound()
    {
        TestDomain control = TestDomain.Create();
        TestDomain ordinary = TestDomain.CreateOther(Id);
        control.Enter(0);
        control.Store32(0, DomainIds.Self | ((uint)Id << 16));
        Assert.Equal(0, control.Call(HypercallNumber.EventChannelOp, 6, control.Arguments));
        uint port = control.Load32(4);
        ordinary.Enter(0);
        ordinary.Store32(0, 0);
        ordinary.Store32(4, port);
        Assert.Equal(0, ordinary.Call(HypercallNumber.EventChannelOp, 0, ordinary.Arguments));
        control.Enter(0);
        Destroy(ordinary, new Random(3));
        Assert.Equal(EventChannelState.Unbound, control.Domain.Events.At(port).State);
        control.Store32(0, port);
        Assert.Equal(0, control.Call(HypercallNumber.EventChannelOp, 4, control.Arguments));
        Assert.Equal(0, control.Call(HypercallNumber.EventChannelOp, 3, control.Arguments));
    }

    /// <summary>Ten thousand domains, one after the other: no frame and no slot is lost, and an id is not used again soon.</summary>
    [Fact]
    public void ManyDomainsOneAfterTheOtherLeaveNothing()
    {
        Warm(TestDomain.Create());
        ulong free = FrameAllocator.FreeFrames;
        int vcpus = VcpuTable.Count;
        ushort last = 0;
        for (int cycle = 0; cycle < 10_000; cycle++)
        {
            Assert.Equal(XenError.None, DomainCreation.TryCreate(out ushort id));
            Assert.NotEqual(last, id);
            last = id;
            ref Domain domain = ref DomainTable.At(id);
            domain.Memory.MaximumPages = 64;
            Assert.Equal(XenError.None, DomainCreation.TryAddVcpu(ref domain));
            Assert.True(DomainFrames.TryAllocate(ref domain, 4, 64, out _));
            Preemption never = Preemption.Never;
            Assert.Equal(XenError.None, DomainDestruction.TryAdvance(ref domain, ref never));
        }

        Assert.Equal(free, FrameAllocator.FreeFrames);
        Assert.True(VcpuTable.Count <= vcpus + 1);
        Assert.Equal(1, DomainTable.Living);
    }

    [Fact]
    public void Domain0IsNotDestroyed()
    {
        TestDomain control = TestDomain.Create();
        Preemption never = Preemption.Never;
        Assert.Equal(XenError.Invalid, DomainDestruction.TryAdvance(ref control.Domain, ref never));
        Assert.Equal(DomainState.Running, control.Domain.State);
    }

    /// <summary>Lets the tables of domains and vcpus grow as far as a test needs, so that free frames can be compared.</summary>
    private static void Warm(TestDomain control)
    {
        TestDomain domain = TestDomain.CreateOther(63, vcpus: 16);
        control.Enter(0);
        Preemption never = Preemption.Never;
        Assert.Equal(XenError.None, DomainDestruction.TryAdvance(ref domain.Domain, ref never));
    }

    private static void Destroy(TestDomain domain, Random random)
    {
        for (int i = 0; i < 100_000; i++)
        {
            Preemption.SliceTicks = (ulong)random.Next(6);
            Preemption preemption = Preemption.Start();
            XenError error = DomainDestruction.TryAdvance(ref domain.Domain, ref preemption);
            if (error != XenError.Restart)
            {
                Assert.Equal(XenError.None, error);
                Preemption.SliceTicks = LongSlice;
                return;
            }
        }

        Assert.Fail("a destruction that never ends");
    }

    private static long MapGrant(TestDomain domain, ulong address, ushort granter)
    {
        domain.Store(0, address);
        domain.Store32(8, GrantMapFlags.HostMap);
        domain.Store32(12, GrantReference);
        domain.Store32(16, granter);
        Assert.Equal(0, domain.Call(HypercallNumber.GrantTableOp, 0, domain.Arguments, 1));
        short status = (short)(domain.Load32(16) >> 16);
        return status < 0 ? status : domain.Load32(20);
    }
}
