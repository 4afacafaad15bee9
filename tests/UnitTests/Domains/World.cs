// Several domains on one machine, which come and go.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Domains;

/// <summary>
/// Domain 0 and up to four others. At each step one of them makes a call, a domain is made, or the destruction of one begins or goes on by
/// a slice; the others act between the slices.
/// </summary>
internal sealed class World
{
    private const int Ids = 5;
    private const int GuestVcpus = 2;
    private const ushort Served = Ids - 1;
    private const ulong LongSlice = 1_000_000_000;

    private readonly Random _random;
    private readonly FrameAudit _frames;
    private readonly NeighbourAudit _neighbours = new();
    private readonly Inhabitant?[] _living = new Inhabitant?[Ids];
    private readonly List<TestDomain> _dying = [];
    private readonly ulong _start;

    internal World(Random random)
    {
        _random = random;
        TestDomain control = TestDomain.Create(vcpus: GuestVcpus + 1);
        // The HPET of this machine lies where the frame table knows it: in the first MiB.
        PlatformInfo.HpetAddress = 0x5000;
        _frames = new FrameAudit { Served = Served };
        Warm(control);
        _living[0] = new Inhabitant(control, isCareful: true, random);
        _start = FrameAllocator.FreeFrames + control.Domain.Memory.OwnedFrames;
    }

    internal string Last { get; private set; } = "";

    /// <summary>Domains that have been destroyed.</summary>
    internal int Destroyed { get; private set; }

    internal void Check()
    {
        _frames.Check();
        _neighbours.Check();
    }

    internal void Step()
    {
        if (_dying.Count != 0 && _random.Next(4) == 0)
        {
            GoOnDestroying();
            return;
        }

        ushort id = (ushort)_random.Next(Ids);
        if (_living[id] is not { } inhabitant)
        {
            Last = $"domain {id} is made";
            if (_random.Next(20) == 0 && !DomainTable.IsTaken(id))
            {
                Preemption.SliceTicks = LongSlice;
                _living[id] = new Inhabitant(TestDomain.CreateOther(id, vcpus: GuestVcpus + 1), isCareful: false, _random);
                Introduce();
            }
        }
        else if (id != 0 && _random.Next(400) == 0)
        {
            Last = $"domain {id} is to be destroyed";
            _living[id] = null;
            Introduce();
            _dying.Add(inhabitant.Domain);
            GoOnDestroying();
        }
        else if (_random.Next(2) == 0)
        {
            inhabitant.Guest.Step();
            Last = $"domain {id} {inhabitant.Guest.Last}";
        }
        else
        {
            Preemption.SliceTicks = _random.Next(4) == 0 ? 1_000_000UL : (ulong)_random.Next(6);
            inhabitant.Neighbour.Step();
            Last = inhabitant.Neighbour.Last;
        }
    }

    /// <summary>Destroys all domains but Domain 0, which lets go of what it holds: as much memory is free or Domain 0's as at the start.</summary>
    internal void End()
    {
        Last = "the end";
        _living[0]!.Neighbour.PutEverythingBack();
        for (int id = 1; id < Ids; id++)
        {
            if (_living[id] is { } inhabitant)
            {
                _dying.Insert(_random.Next(_dying.Count + 1), inhabitant.Domain);
                _living[id] = null;
            }
        }

        Introduce();
        while (_dying.Count != 0)
        {
            GoOnDestroying();
        }

        _living[0]!.Guest.PutEverythingBack();
        Check();
        for (uint id = 1; id < Ids; id++)
        {
            Assert.False(DomainTable.IsTaken(id), $"domain {id} is gone and its slot is not free");
        }

        ulong end = FrameAllocator.FreeFrames + _living[0]!.Domain.Domain.Memory.OwnedFrames;
        if (end != _start)
        {
            throw new AuditException($"{_start} frames were free or Domain 0's at the start, {end} at the end");
        }
    }

    private void GoOnDestroying()
    {
        TestDomain domain = _dying[_random.Next(_dying.Count)];
        _living[0]!.Domain.Enter(GuestVcpus);
        Preemption.SliceTicks = _random.Next(10) == 0 ? LongSlice : (ulong)_random.Next(6);
        Preemption preemption = Preemption.Start();
        XenError error = DomainDestruction.TryAdvance(ref domain.Domain, ref preemption);
        TlbClock.Settle();
        Last = $"domain {domain.Id} is destroyed: {error}";
        if (error != XenError.Restart)
        {
            Assert.Equal(XenError.None, error);
            _dying.Remove(domain);
            Destroyed++;
        }
    }

    /// <summary>Domain 0 works on the tables of one of the others now and then, and each of the others names frames of Domain 0.</summary>
    private void Introduce()
    {
        _living[0]!.Guest.Neighbour = _living[Served]?.Guest;
        for (int id = 1; id < Ids; id++)
        {
            if (_living[id] is { } inhabitant)
            {
                inhabitant.Guest.Neighbour = _living[0]!.Guest;
            }
        }
    }

    /// <summary>The hypervisor's tables grow once: of domains, of vcpus, of Domain 0's ports and handles.</summary>
    private static void Warm(TestDomain control)
    {
        TestDomain other = TestDomain.CreateOther(63, vcpus: 24);
        control.Enter(0);
        Preemption never = Preemption.Never;
        Assert.Equal(XenError.None, DomainDestruction.TryAdvance(ref other.Domain, ref never));
        control.Store32(0, DomainIds.Self);
        Assert.Equal(0, control.Call(HypercallNumber.EventChannelOp, 6, control.Arguments));
        control.Store(0, TestDomain.Window(0));
        control.Store32(8, GrantMapFlags.HostMap);
        control.Store32(12, 1);
        control.Store32(16, control.Id);
        Assert.Equal(0, control.Call(HypercallNumber.GrantTableOp, 0, control.Arguments, 1));
    }

    /// <summary>A domain and what acts in it.</summary>
    private sealed class Inhabitant
    {
        internal Inhabitant(TestDomain domain, bool isCareful, Random random)
        {
            Domain = domain;
            Guest = new RandomGuest(domain, random, vcpusLeftAlone: 1);
            Neighbour = new RandomNeighbour(domain, Guest, GuestVcpus, isCareful, random);
        }

        internal TestDomain Domain { get; }

        internal RandomGuest Guest { get; }

        internal RandomNeighbour Neighbour { get; }
    }
}
