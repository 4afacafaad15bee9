// A guest whose every choice is random: it builds, changes and drops page tables through the hypercalls.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

/// <summary>
/// Frames have a favourite role by their place in the pool, so that trees of all four levels come about; one choice in eight ignores
/// it. A command that the hypervisor interrupts stays in the registers of its vcpu, and other vcpus may act before it goes on.
/// </summary>
internal sealed partial class RandomGuest
{
    private const int PoolSize = 28;
    private const int RequestOffset = 0;
    private const int ListOffset = 1024;
    private const int CodeOffset = 3072;
    private const int DoneOffset = 3584;

    private static readonly int[] s_indexes = [0, 1, 2, 3, 7, 255, 256, 271, 272, 300, 509];

    private readonly Random _random;
    private readonly TestDomain _domain;
    private readonly List<Mfn> _pool = [];
    private readonly bool[] _inProgress;
    private readonly bool[] _wasInterrupted;
    private readonly Action<long>?[] _after;

    /// <summary>A row of commands that belong together, all of one vcpu.</summary>
    private readonly Queue<Action> _script = new();
    private int _scriptVcpu;

    /// <summary>Whether the step has put a hypercall into the registers.</summary>
    private bool _command;

    /// <summary>Uses all vcpus of the domain but those that are to be left alone.</summary>
    internal RandomGuest(TestDomain domain, Random random, int vcpusLeftAlone = 0)
    {
        _random = random;
        _domain = domain;
        _inProgress = new bool[domain.Domain.VcpuCount - vcpusLeftAlone];
        _wasInterrupted = new bool[_inProgress.Length];
        _after = new Action<long>?[_inProgress.Length];
        domain.Domain.Assists = 1 << 2;
        while (_pool.Count < PoolSize)
        {
            _pool.Add(domain.NewPage());
        }

        // There is always a root to come back to.
        domain.Enter(0);
        Assert.Equal(0, domain.Pin(domain.KernelL4, 4));
    }

    /// <summary>Another domain whose frames are named now and then.</summary>
    internal RandomGuest? Neighbour { get; set; }

    /// <summary>What the last step did, for the report of a failure.</summary>
    internal string Last { get; private set; } = "";

    internal IReadOnlyList<Mfn> Pool => _pool;

    /// <summary>A page of the pool, which may be in use as anything.</summary>
    internal Mfn Harmless() => _pool[_random.Next(_pool.Count)];

    /// <summary>The page is no longer the domain's.</summary>
    internal void GiveAway(Mfn frame) => Forget(frame);

    /// <summary>The page may have become the domain's.</summary>
    internal void Receive(Mfn frame)
    {
        if (FrameTable.IsOwnedBy(frame, _domain.Id) && !IsFixed(frame) && !_pool.Exists(one => one == frame))
        {
            _pool.Insert(_random.Next(_pool.Count + 1), frame);
        }
    }

    /// <summary>One vcpu goes on with its interrupted command or begins a new one.</summary>
    internal void Step()
    {
        bool hasScript = _script.Count != 0 && _random.Next(12) != 0;
        int vcpu = hasScript ? _scriptVcpu : _random.Next(_inProgress.Length);
        _domain.Enter(vcpu);
        KeepArgumentsMapped();
        Preemption.SliceTicks = _random.Next(4) == 0 ? 1_000_000UL : (ulong)_random.Next(6);
        Last = $"vcpu {vcpu} ";
        if (!hasScript && _random.Next(3) == 0)
        {
            Touch();
        }

        if (_inProgress[vcpu])
        {
            Last += "goes on";
            Execute(vcpu);
            return;
        }

        _command = true;
        if (hasScript)
        {
            _script.Dequeue()();
            FinishStep(vcpu);
            return;
        }

        switch (_random.Next(42))
        {
            case < 15: UpdateEntries(); break;
            case < 22: Extended(); break;
            case < 27: UpdateMapping(); break;
            case < 29: SetGdt(); break;
            case 29: UpdateDescriptor(); break;
            case 30: Decrease(); break;
            case < 33: Populate(); break;
            case 33: Exchange(); break;
            case < 36: PlainWrite(); break;
            case 36: LdtFault(); break;
            case 37: RetireAMapping(vcpu); break;
            case 38: RetireInOneMulticall(); break;
            default: Multicall(); break;
        }

        FinishStep(vcpu);
    }

    private void FinishStep(int vcpu)
    {
        if (_command)
        {
            Execute(vcpu);
        }
    }

    /// <summary>Completes what is interrupted, then gives every table back.</summary>
    internal void PutEverythingBack()
    {
        Preemption.SliceTicks = 1_000_000_000;
        for (int vcpu = 0; vcpu < _inProgress.Length; vcpu++)
        {
            _domain.Enter(vcpu);
            KeepArgumentsMapped();
            while (_inProgress[vcpu])
            {
                Execute(vcpu);
            }
        }

        for (int vcpu = 0; vcpu < _inProgress.Length; vcpu++)
        {
            _domain.Enter(vcpu);
            KeepArgumentsMapped();
            Assert.Equal(0, _domain.Extended(MmuExtendedCommand.NewBasePointer, _domain.KernelL4.Value));
            Assert.Equal(0, _domain.Extended(MmuExtendedCommand.NewUserBasePointer));
            Assert.Equal(0, _domain.Extended(MmuExtendedCommand.SetLdt));
            Assert.Equal(0, _domain.Call(HypercallNumber.SetGdt, 0, 0));
        }

        _domain.Enter(0);
        foreach (Mfn table in new[] { _domain.KernelL4, _domain.KernelL3, _domain.WindowL1 })
        {
            for (int i = 0; i < 510; i++)
            {
                bool isHypervisors = table == _domain.KernelL4 && i is >= HypervisorAddressSpace.FirstSlot and < HypervisorAddressSpace.EndSlot;
                if (!isHypervisors && PhysicalMemory.Word(table, i) != 0)
                {
                    Assert.Equal(0, _domain.SetEntry(table, i, 0));
                }
            }
        }

        foreach (Mfn frame in Typed())
        {
            if (FrameTable.At(frame).IsBuilding)
            {
                // Its builder gave up; pinning completes it.
                _domain.Pin(frame, (int)FrameTable.At(frame).Type);
            }
        }

        foreach (Mfn frame in Typed())
        {
            if (FrameTable.At(frame) is { IsPinned: true, TypeCount: not 0 })
            {
                Assert.Equal(0, _domain.Unpin(frame));
            }
        }

        for (int vcpu = 0; vcpu < _inProgress.Length; vcpu++)
        {
            // What a vcpu still owes it does first.
            _domain.Enter(vcpu);
            Assert.Equal(0, _domain.SetEntry(_domain.WindowL1, 0, 0));
        }

        foreach (Mfn frame in Typed())
        {
            if (!IsFixed(frame) && FrameTable.At(frame).IsAllocated)
            {
                ref FrameInfo info = ref FrameTable.At(frame);
                throw new AuditException($"frame {frame.Value:X} is still {info.Type} after everything was given back (word {info.TypeWord:X})");
            }
        }
    }

    /// <summary>All frames of the domain that are in use as something, those it has released among them.</summary>
    private List<Mfn> Typed()
    {
        List<Mfn> typed = [];
        for (ulong value = FakeMachine.FirstUsableFrame; value < FakeMachine.FrameCount; value++)
        {
            if (FrameTable.At(new Mfn(value)) is { TypeCount: not 0 } info && info.Owner == _domain.Id)
            {
                typed.Add(new Mfn(value));
            }
        }

        return typed;
    }

    private static ulong EntryAddress(Mfn table, int index) => TestDomain.EntryAddress(table, index);

    private void Execute(int vcpu)
    {
        _wasInterrupted[vcpu] = _inProgress[vcpu];
        _inProgress[vcpu] = !_domain.TryStep(out long result);
        Last += _inProgress[vcpu] ? " (interrupted)" : $" = {result}";
        if (!_inProgress[vcpu])
        {
            // What the call gave or took of memory.
            _after[vcpu]?.Invoke(result);
            _after[vcpu] = null;
        }
    }

    /// <summary>A root of the guest's own making may lack the page of arguments; then nothing could be asked for any more.</summary>
    private void KeepArgumentsMapped()
    {
        if (!GuestMemory.TryTranslate(_domain.Arguments, true, out ulong physical) || physical >> 12 != _domain.Fixed[5 + _domain.CurrentVcpu].Value)
        {
            Preemption never = Preemption.Never;
            ref Vcpu vcpu = ref _domain.Vcpu(_domain.CurrentVcpu);
            Assert.Equal(XenError.None, RootTables.SetKernelRoot(ref vcpu, _domain.KernelL4, ref never));
        }
    }

    // Places in the pool: 4 roots, 5 L3, 6 L2, 7 L1, the rest data.
    private Mfn Favourite(int level)
    {
        if (_random.Next(8) == 0)
        {
            return Any();
        }

        (int first, int count) = level switch { 4 => (0, 4), 3 => (4, 5), 2 => (9, 6), 1 => (15, 7), _ => (22, PoolSize - 22) };
        int place = first + _random.Next(count);
        return place < _pool.Count ? _pool[place] : Any();
    }

    private Mfn Any()
    {
        switch (_random.Next(50))
        {
            case 0: return new Mfn((ulong)_random.NextInt64());
            case 1: return _domain.Fixed[_random.Next(_domain.Fixed.Count)];
            case 2: return _domain.Domain.SharedInfo;
            case 3: return new Mfn((ulong)_random.Next(0, _random.Next(2) == 0 ? 8 : 5000));
            case 4 when Neighbour is { _pool.Count: > 0 } other: return other._pool[_random.Next(other._pool.Count)];
            default: return _pool.Count > 0 ? _pool[_random.Next(_pool.Count)] : _domain.Fixed[0];
        }
    }

    private Mfn Table(out int level)
    {
        level = _random.Next(1, 5);
        return Favourite(level);
    }

    private ulong Proposal(int level)
    {
        int kind = _random.Next(20);
        if (kind < 5)
        {
            return kind == 0 ? (ulong)_random.NextInt64() & ~1UL : 0;
        }

        ulong flags = PageTableEntry.Present;
        flags |= _random.Next(level == 1 ? 2 : 4) != 0 ? PageTableEntry.Writable : 0;
        flags |= _random.Next(2) != 0 ? PageTableEntry.User : 0;
        flags |= _random.Next(3) == 0 ? PageTableEntry.Accessed | PageTableEntry.Dirty : 0;
        flags |= _random.Next(4) == 0 ? PageTableEntry.NoExecute : 0;
        flags |= _random.Next(8) == 0 ? PageTableEntry.GuestKernel : 0;
        flags |= _random.Next(25) == 0 ? 1UL << _random.Next(64) : 0;
        return TestDomain.Entry(Favourite(level - 1), flags) & (_random.Next(50) == 0 ? ~0UL : ~(7UL << 49));
    }

    /// <summary>An entry that only differs in flags from what is there.</summary>
    private ulong Reflagged(Mfn table, int index)
        => PhysicalMemory.WordOrZero(table, index) ^ (1UL << (_random.Next(3) == 0 ? 1 : _random.Next(64)));

    private (ulong Pointer, ulong Value) Update()
    {
        Mfn table = Table(out int level);
        int index = _random.Next(6) == 0 ? _random.Next(512) : s_indexes[_random.Next(s_indexes.Length)];
        switch (_random.Next(12))
        {
            case 0:
                table = _domain.KernelL4;
                level = 4;
                break;
            case 1:
                table = _domain.KernelL3;
                level = 3;
                break;
            case 2:
                table = _domain.WindowL1;
                level = 1;
                break;
        }

        if (IsFixed(table))
        {
            // The tables that the test stands on keep their last entries.
            index %= table == _domain.KernelL4 || table == _domain.KernelL3 ? 510 : 1;
            if (table != _domain.KernelL4 && table != _domain.KernelL3 && table != _domain.WindowL1)
            {
                table = _pool.Count > 0 ? _pool[0] : default;
            }
        }

        ulong command = _random.Next(10) switch { 0 => 1, 1 => 2, 2 => 3, 3 => _random.Next(5) == 0 ? (ulong)_random.Next(4, 8) : 0, _ => 0 };
        ulong value = _random.Next(4) == 0 ? Reflagged(table, index) : Proposal(level);
        return (command == 1 ? (Any().Value << 12) | 1 : EntryAddress(table, index) | command, command == 1 ? (ulong)_random.Next(10000) : value);
    }

    private ulong Foreign()
    {
        if (_random.Next(8) != 0)
        {
            return TestDomain.Self;
        }

        ushort other = Neighbour is { } neighbour ? neighbour._domain.Id : (ushort)5;
        ushort[] owners = [DomainIds.Self, _domain.Id, other, DomainIds.Io, DomainIds.Xen, 9];
        ulong target = owners[_random.Next(owners.Length)];
        ulong tables = _random.Next(2) == 0 ? 0 : (ulong)owners[_random.Next(owners.Length)] + 1;
        return target | (tables << 16);
    }

    /// <summary>A store of the guest's kernel to a page that may be a page table: the processor or the hypervisor makes it.</summary>
    private void PlainWrite()
    {
        int slot = _random.Next(8);
        int index = s_indexes[_random.Next(s_indexes.Length)];
        ulong address = TestDomain.Window(slot) + ((ulong)index * 8);
        _command = false;
        if (IsFixed(new PageTableEntry(PhysicalMemory.Word(_domain.WindowL1, slot)).Frame))
        {
            return;
        }

        ref GuestRegisters registers = ref _domain.Vcpu(_domain.CurrentVcpu).Context.Registers;
        Span<byte> code = _domain.ArgumentBytes.Slice(CodeOffset, 16);
        switch (_random.Next(3))
        {
            case 0: ((ReadOnlySpan<byte>)[0x48, 0x89, 0x08]).CopyTo(code); break;
            case 1: ((ReadOnlySpan<byte>)[0x48, 0x87, 0x08]).CopyTo(code); break;
            default: ((ReadOnlySpan<byte>)[0xF0, 0x80, 0x20, 0xFD]).CopyTo(code); break;
        }

        GuestRegisters before = registers;
        registers.Rip = _domain.Arguments + CodeOffset;
        registers.Rax = address;
        registers.Rcx = Proposal(1);
        Last += $"plain write to slot {slot}, entry {index} := {registers.Rcx:X}";
        bool done = WritablePageTables.TryEmulate(ref _domain.Vcpu(_domain.CurrentVcpu), new GuestAddress(address));
        Last += done ? " done" : " refused";
        registers = before;
        TlbClock.Settle();
    }

    private void LdtFault()
    {
        _command = false;
        ulong offset = (ulong)_random.Next(0, 16 * 4096);
        Last += $"LDT fault at {offset:X}";
        LocalDescriptorTable.TryMapPage(ref _domain.Vcpu(_domain.CurrentVcpu), offset);
        TlbClock.Settle();
    }

    /// <summary>The guest reaches for memory that is mapped somewhere, which fills the TLB.</summary>
    private void Touch()
    {
        ulong address = _random.Next(2) == 0 ? TestDomain.Window(_random.Next(10)) + 64 : Mapped();
        bool write = _random.Next(2) == 0;
        if (new GuestAddress(address).IsGuestRange(1) && GuestMemory.TryTranslate(address, write, out ulong physical)
            && physical >> 12 is >= FakeMachine.FirstUsableFrame and < 8192)
        {
            Last += $"(touches {address:X}) ";
            FrameAudit.CheckAccess(address, new Mfn(physical >> 12), write, "the processor");
        }
    }

    /// <summary>An address whose tables are there, found by taking any present entry at each level.</summary>
    private ulong Mapped()
    {
        ulong address = 0;
        Mfn table = new(FakeCpu.Cr3 >> 12);
        for (int shift = 39; shift >= 12; shift -= 9)
        {
            int start = _random.Next(512);
            int index = start;
            while ((PhysicalMemory.Word(table, index) & PageTableEntry.Present) == 0 || (shift == 39 && index is >= 256 and < 272))
            {
                index = (index + 1) % 512;
                if (index == start)
                {
                    return address;
                }
            }

            address |= (ulong)index << shift;
            table = new PageTableEntry(PhysicalMemory.Word(table, index)).Frame;
        }

        return (ulong)((long)(address << 16) >> 16);
    }
}
