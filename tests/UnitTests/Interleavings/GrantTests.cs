// Grant entries that their domain rewrites at any moment, in many orders.
using System.Collections.Generic;
using System.Linq;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Grants;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// One processor maps, copies and unmaps; another is the granting guest, which writes whole entries. What was used must have been granted
/// by one of the values that the entry has had: no mixture of two. At the end every count is back where it was.
/// </summary>
[Trait(Soak.Kind, Soak.Random)]
public sealed class GrantTests
{
    private const uint Reference = 5;
    private const int Slot = 3;
    private const int Rewrites = 6;

    private readonly List<ulong> _history = [];
    private TestDomain _mapper = null!;
    private TestDomain _granter = null!;
    private Mfn[] _frames = null!;

    [Fact]
    public void WhatIsMappedWasGranted() => Explorer.Explore(() => Run(MapAndUnmap), 100);

    [Fact]
    public void WhatIsCopiedWasGranted() => Explorer.Explore(() => Run(Copy), 100);

    /// <summary>The explorer can fail: a reader that fetches twice uses what was never granted.</summary>
    [Fact]
    public void ASecondFetchIsSeenThrough()
    {
        string? problem = Explorer.Find(() => Run(FetchTwice), 200, 1);
        Assert.Contains("never granted", problem, StringComparison.Ordinal);
    }

    private void Run(Action use)
    {
        _mapper = TestDomain.Create(vcpus: 1);
        _granter = TestDomain.CreateOther(1);
        Assert.True(GrantTable.TryGrow(ref _granter.Domain, 1));
        _frames = [.. Enumerable.Range(0, 3).Select(_ => _granter.NewPage())];
        for (int i = 0; i < _frames.Length; i++)
        {
            PhysicalMemory.Bytes(_frames[i]).Fill((byte)(i + 1));
        }

        _history.Clear();
        _history.Add(0);
        _granter.Domain.Grants.EntryAt(Reference) = 0;
        Processors.Run(2, (machine, self) =>
        {
            if (self == 0)
            {
                use();
            }
            else
            {
                Rewrite();
            }
        });
        CheckCounts();
    }

    /// <summary>Values that differ in who may use it, which frame, and whether it may be written.</summary>
    private void Rewrite()
    {
        for (int i = 0; i < Rewrites; i++)
        {
            ushort user = i % 3 == 2 ? (ushort)7 : _mapper.Id;
            uint flags = GrantEntryFlags.PermitAccess | (i % 2 == 0 ? 0 : GrantEntryFlags.ReadOnly);
            Grant(flags, user, _frames[i % _frames.Length]);
        }
    }

    private void Grant(uint flags, ushort user, Mfn frame)
    {
        ulong value = flags | ((ulong)user << 16) | (frame.Value << 32);
        _history.Add(value);
        ControlledVolatile.Write(ref _granter.Domain.Grants.EntryAt(Reference), value);
    }

    private bool WasGranted(Mfn frame, bool writes) => _history.Exists(value
        => new Mfn(value >> 32) == frame && (ushort)(value >> 16) == _mapper.Id && (value & 3) == GrantEntryFlags.PermitAccess
            && (!writes || (value & GrantEntryFlags.ReadOnly) == 0));

    private void MapAndUnmap()
    {
        for (int i = 0; i < 3; i++)
        {
            uint flags = GrantMapFlags.HostMap | (i == 1 ? GrantMapFlags.ReadOnly : 0);
            _mapper.Store(0, TestDomain.Window(Slot));
            _mapper.Store32(8, flags);
            _mapper.Store32(12, Reference);
            _mapper.Store32(16, _granter.Id);
            _mapper.Store32(20, 0);
            if (Call(0) != 0 || (short)(_mapper.Load32(16) >> 16) != 0)
            {
                continue;
            }

            PageTableEntry entry = new(PhysicalMemory.Word(_mapper.WindowL1, Slot));
            Processors.Check(entry.IsPresent && WasGranted(entry.Frame, entry.IsWritable), "a mapping that was never granted");
            uint handle = _mapper.Load32(20);
            _mapper.Store(0, TestDomain.Window(Slot));
            _mapper.Store(8, 0);
            _mapper.Store(16, handle);
            Processors.Check(Call(1) == 0 && (short)_mapper.Load32(20) == 0, "the mapping cannot be undone");
        }
    }

    private void Copy()
    {
        Mfn to = _mapper.NewPage();
        for (int i = 0; i < 4; i++)
        {
            PhysicalMemory.Clear(to);
            _mapper.Store(0, Reference);
            _mapper.Store(8, _granter.Id);
            _mapper.Store(16, to.Value);
            _mapper.Store(24, DomainIds.Self);
            _mapper.Store(32, 64 | ((ulong)GrantCopy.SourceIsReference << 16));
            if (Call(5) == 0 && (short)(_mapper.Load32(36) & 0xFFFF) == 0)
            {
                int content = PhysicalMemory.Bytes(to)[0];
                Processors.Check(content != 0 && WasGranted(_frames[content - 1], false), "a copy that was never granted");
            }
        }
    }

    private void FetchTwice()
    {
        ref ulong slot = ref _granter.Domain.Grants.EntryAt(Reference);
        for (int i = 0; i < 4; i++)
        {
            if ((ushort)(ControlledVolatile.Read(ref slot) >> 16) == _mapper.Id)
            {
                Processors.Check(WasGranted(new Mfn(ControlledVolatile.Read(ref slot) >> 32), false), "a frame that was never granted");
            }
        }
    }

    private long Call(ulong operation)
    {
        HypervisorLock.Enter();
        long result = _mapper.Call(HypercallNumber.GrantTableOp, operation, _mapper.Arguments, 1);
        HypervisorLock.Exit();
        return result;
    }

    private void CheckCounts()
    {
        Processors.Check(_granter.Domain.Grants.ActiveAt(Reference).Pins == 0, "a pin is left over");
        foreach (Mfn frame in _frames)
        {
            Processors.Check(TestDomain.Frame(frame).GeneralCount == 1 && TestDomain.Frame(frame).TypeCount == 0, "a reference is left over");
        }
    }
}
