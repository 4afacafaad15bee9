// A guest whose every choice is random: it builds, changes and drops page tables through the hypercalls.
using System.Buffers.Binary;
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
internal sealed class RandomGuest
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

    internal RandomGuest(TestDomain domain, Random random)
    {
        _random = random;
        _domain = domain;
        _inProgress = new bool[domain.Domain.VcpuCount];
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

    /// <summary>
    /// What a kernel does to turn a page of memory into a table, except that it flushes nothing: map, write, unmap or write-protect,
    /// then use by type. The processor still remembers the right to write.
    /// </summary>
    private void RetireAMapping(int vcpu)
    {
        int slot = _random.Next(8);
        Mfn frame = Favourite(_random.Next(5));
        ulong keep = _random.Next(2) == 0 ? 0 : TestDomain.Entry(frame, PageTableEntry.Present);
        _scriptVcpu = vcpu;
        _script.Clear();
        _script.Enqueue(() => SetSlot(slot, TestDomain.Entry(frame, TestDomain.ReadWrite)));
        _script.Enqueue(() =>
        {
            _command = false;
            Last += $"writes to slot {slot}";
            GuestMemory.TryTranslate(TestDomain.Window(slot), true, out _);
        });
        _script.Enqueue(() => SetSlot(slot, keep));
        int level = _random.Next(5);
        _script.Enqueue(() =>
        {
            if (level == 0)
            {
                _domain.Store(ListOffset, frame.Value);
                Last += $"set_gdt {frame.Value:X}";
                _domain.Begin(HypercallNumber.SetGdt, _domain.Arguments + ListOffset, 512);
            }
            else
            {
                _domain.Store(RequestOffset, (ulong)level - 1);
                _domain.Store(RequestOffset + 8, frame.Value);
                Last += $"pin {frame.Value:X} at level {level}";
                _domain.Begin(HypercallNumber.MmuExtendedOp, _domain.Arguments, 1, 0, TestDomain.Self);
            }
        });
        _command = false;
        Last += $"will retire {frame.Value:X}";
    }

    private void SetSlot(int slot, ulong value)
    {
        Last += $"update_va_mapping slot {slot} := {value:X}";
        _domain.Begin(HypercallNumber.UpdateVaMapping, TestDomain.Window(slot), value);
    }

    /// <summary>The same within one multicall, whose last call lets the hypervisor itself write through the old translation.</summary>
    private void RetireInOneMulticall()
    {
        int slot = _random.Next(8);
        Mfn frame = Favourite(_random.Next(1, 3));
        Span<byte> entries = _domain.ArgumentBytes.Slice(ListOffset + 1024, 4 * 64);
        entries.Clear();
        _domain.Store(RequestOffset, (ulong)_random.Next(4));
        _domain.Store(RequestOffset + 8, frame.Value);
        Fill(entries, HypercallNumber.UpdateVaMapping, TestDomain.Window(slot), TestDomain.Entry(frame, TestDomain.ReadWrite), 0, 0);
        Fill(entries[64..], HypercallNumber.XenVersion, 1, TestDomain.Window(slot) + 128, 0, 0);
        Fill(entries[128..], HypercallNumber.UpdateVaMapping, TestDomain.Window(slot), 0, 0, 0);
        Fill(entries[192..], HypercallNumber.MmuExtendedOp, _domain.Arguments + RequestOffset, 1, 0, TestDomain.Self);
        if (_random.Next(2) == 0)
        {
            Fill(entries[64..], HypercallNumber.UpdateVaMapping, TestDomain.Window(slot), TestDomain.Entry(frame, PageTableEntry.Present), 0, 0);
            Fill(entries[128..], HypercallNumber.MmuExtendedOp, _domain.Arguments + RequestOffset, 1, 0, TestDomain.Self);
            Fill(entries[192..], HypercallNumber.XenVersion, 1, TestDomain.Window(slot) + 128, 0, 0);
            GuestMemory.TryTranslate(TestDomain.Window(slot) + 128, true, out _);
        }

        Last += $"retires {frame.Value:X} from slot {slot} in one multicall";
        _domain.Begin(HypercallNumber.Multicall, _domain.Arguments + ListOffset + 1024, 4);
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
            if (!IsFixed(frame) && frame != _domain.Domain.SharedInfo)
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
            case 4 when Neighbour is { } other: return other._pool[_random.Next(other._pool.Count)];
            default: return _pool[_random.Next(_pool.Count)];
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
    {
        if (table.Value >= FakeMachine.FrameCount)
        {
            return 0;
        }

        ulong current = PhysicalMemory.Word(table, index);
        return current ^ (1UL << (_random.Next(3) == 0 ? 1 : _random.Next(64)));
    }

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
                table = _pool[0];
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

    private void UpdateEntries()
    {
        int count = _random.Next(1, 6);
        ulong foreign = Foreign();
        List<(ulong Pointer, ulong Value)> updates = [];
        for (int i = 0; i < count; i++)
        {
            updates.Add(Update());
            _domain.Store(RequestOffset + (i * 16), updates[i].Pointer);
            _domain.Store(RequestOffset + (i * 16) + 8, updates[i].Value);
            Last += $"mmu_update {updates[i].Pointer:X} := {updates[i].Value:X}; ";
        }

        Last += $"foreign {foreign:X}";
        _domain.Begin(HypercallNumber.MmuUpdate, _domain.Arguments, (ulong)count, Done(), foreign);
        (ulong last, ulong pfn) = updates[^1];
        if ((last & 7) == 1)
        {
            _after[_domain.CurrentVcpu] = result =>
            {
                if (result == 0)
                {
                    ExpectMachineToPhysical(new Mfn(last >> 12), pfn);
                }
            };
        }
    }

    private static void ExpectMachineToPhysical(Mfn frame, ulong pfn)
    {
        if (MachineToPhysical.Get(frame) != pfn)
        {
            throw new AuditException($"the M2P entry of frame {frame.Value:X} is {MachineToPhysical.Get(frame):X} and should be {pfn:X}");
        }
    }

    private ulong Done() => _random.Next(3) == 0 ? _domain.Arguments + DoneOffset : _random.Next(30) == 0 ? 0x1234_0000u : 0;

    private MmuExtendedOp Operation()
    {
        MmuExtendedOp operation = default;
        int level = _random.Next(1, 5);
        switch (_random.Next(16))
        {
            case < 5:
                operation.Command = (uint)level - 1;
                operation.Argument1 = Favourite(level).Value;
                break;
            case < 9:
                operation.Command = (uint)MmuExtendedCommand.UnpinTable;
                operation.Argument1 = Favourite(level).Value;
                break;
            case 9:
                operation.Command = (uint)MmuExtendedCommand.NewBasePointer;
                operation.Argument1 = _random.Next(3) == 0 ? Favourite(4).Value : _domain.KernelL4.Value;
                break;
            case 10:
                operation.Command = (uint)MmuExtendedCommand.NewUserBasePointer;
                operation.Argument1 = _random.Next(3) == 0 ? 0 : Favourite(4).Value;
                break;
            case 11:
                operation.Command = (uint)MmuExtendedCommand.SetLdt;
                operation.Argument1 = TestDomain.Window(_random.Next(8));
                operation.Argument2 = (ulong)_random.Next(0, 2000);
                break;
            case 12:
                operation.Command = (uint)MmuExtendedCommand.ClearPage;
                operation.Argument1 = Unfixed(Any()).Value;
                break;
            case 13:
                operation.Command = (uint)MmuExtendedCommand.CopyPage;
                operation.Argument1 = Unfixed(Any()).Value;
                operation.Argument2 = Any().Value;
                break;
            default:
                operation.Command = (uint)_random.Next(6, 22);
                operation.Argument1 = TestDomain.Window(_random.Next(8));
                break;
        }

        return operation;
    }

    /// <summary>Whether the test itself stands on the frame. (Mfn has no equality as an object.)</summary>
    private bool IsFixed(Mfn frame) => _domain.Fixed.Exists(one => one == frame);

    private void Forget(Mfn frame) => _pool.RemoveAll(one => one == frame);

    /// <summary>What the test itself needs is not written over.</summary>
    private Mfn Unfixed(Mfn frame) => IsFixed(frame) || frame == _domain.Domain.SharedInfo ? _pool[^1] : frame;

    private void Extended()
    {
        int count = _random.Next(1, 5);
        for (int i = 0; i < count; i++)
        {
            MmuExtendedOp operation = Operation();
            _domain.Store(RequestOffset + (i * 24), operation.Command);
            _domain.Store(RequestOffset + (i * 24) + 8, operation.Argument1);
            _domain.Store(RequestOffset + (i * 24) + 16, operation.Argument2);
            Last += $"mmuext_op {(MmuExtendedCommand)operation.Command} {operation.Argument1:X} {operation.Argument2:X}; ";
        }

        ulong foreign = _random.Next(4) == 0 ? Foreign() & 0xFFFF : TestDomain.Self;
        _domain.Begin(HypercallNumber.MmuExtendedOp, _domain.Arguments, (ulong)count, Done(), foreign);
    }

    private void UpdateMapping()
    {
        int slot = _random.Next(8);
        ulong value = _random.Next(4) == 0 ? Reflagged(_domain.WindowL1, slot) : Proposal(1);
        if (_random.Next(4) == 0)
        {
            // A table shown read-only, for plain writes to it.
            value = TestDomain.Entry(Favourite(1), PageTableEntry.Present);
        }

        ulong foreign = Foreign() & 0xFFFF;
        Last += $"update_va_mapping slot {slot} := {value:X} of {foreign:X}";
        HypercallNumber number = foreign == TestDomain.Self ? HypercallNumber.UpdateVaMapping : HypercallNumber.UpdateVaMappingOtherDomain;
        _domain.Begin(number, TestDomain.Window(slot), value, (ulong)_random.Next(3), foreign);
    }

    private void SetGdt()
    {
        int pages = _random.Next(3);
        for (int i = 0; i < pages; i++)
        {
            Mfn frame = Favourite(0);
            _domain.Store(ListOffset + (i * 8), frame.Value);
            Last += $"set_gdt {frame.Value:X} ";
        }

        _domain.Begin(HypercallNumber.SetGdt, _domain.Arguments + ListOffset, (ulong)pages * 512);
    }

    private void UpdateDescriptor()
    {
        ulong address = Unfixed(Favourite(0)).Address.Value + ((ulong)_random.Next(512) * 8);
        ulong descriptor = _random.Next(2) == 0 ? 0 : (ulong)_random.NextInt64();
        Last += $"update_descriptor {address:X} := {descriptor:X}";
        _domain.Begin(HypercallNumber.UpdateDescriptor, address, descriptor);
    }

    private void Decrease()
    {
        int count = _random.Next(1, 4);
        List<Mfn> frames = [];
        for (int i = 0; i < count; i++)
        {
            Mfn frame = Unfixed(Any());
            frames.Add(frame);
            _domain.Store(ListOffset + (i * 8), frame.Value);
            Last += $"decrease {frame.Value:X} ";
        }

        _domain.StoreReservation(RequestOffset, _domain.Arguments + ListOffset, (ulong)count, 0);
        _domain.Begin(HypercallNumber.MemoryOp, 1, _domain.Arguments);
        _after[_domain.CurrentVcpu] = done =>
        {
            for (int i = 0; i < done; i++)
            {
                Forget(frames[i]);
            }
        };
    }

    private void Populate()
    {
        int count = Math.Clamp(PoolSize - _pool.Count, 0, _random.Next(1, 4));
        uint order = _random.Next(6) == 0 ? 1u : 0;
        ulong pfn = (ulong)_random.Next(4096);
        for (int i = 0; i < count; i++)
        {
            _domain.Store(ListOffset + (i * 8), pfn + ((ulong)i << (int)order));
        }

        Last += $"populate {count} of order {order}";
        _domain.StoreReservation(RequestOffset, _domain.Arguments + ListOffset, (ulong)count, order);
        _domain.Begin(HypercallNumber.MemoryOp, 6, _domain.Arguments);
        _after[_domain.CurrentVcpu] = done =>
        {
            for (int i = 0; i < done; i++)
            {
                TakeIn(_domain.Load(ListOffset + (i * 8)), order, pfn + ((ulong)i << (int)order));
            }
        };
    }

    private void TakeIn(ulong first, uint order, ulong pfn)
    {
        for (ulong page = 0; page < 1UL << (int)order; page++)
        {
            _pool.Insert(_random.Next(_pool.Count + 1), new Mfn(first + page));
            if (!_wasInterrupted[_domain.CurrentVcpu])
            {
                ExpectMachineToPhysical(new Mfn(first + page), pfn + page);
            }
        }
    }

    private void Exchange()
    {
        uint order = (uint)_random.Next(3);
        int count = (1 << (int)order) * _random.Next(1, 3);
        List<Mfn> frames = [];
        ulong pfn = (ulong)_random.Next(4096);
        for (int i = 0; i < count; i++)
        {
            Mfn frame = Unfixed(_random.Next(10) == 0 ? Any() : Favourite(0));
            frames.Add(frame);
            _domain.Store(ListOffset + (i * 8), frame.Value);
            Last += $"exchange {frame.Value:X} ";
        }

        for (int i = 0; i < count >> (int)order; i++)
        {
            _domain.Store(ListOffset + 512 + (i * 8), pfn + ((ulong)i << (int)order));
        }

        _domain.StoreReservation(RequestOffset, _domain.Arguments + ListOffset, (ulong)count, 0);
        _domain.StoreReservation(RequestOffset + 32, _domain.Arguments + ListOffset + 512, (ulong)count >> (int)order, order, _random.Next(4) == 0 ? 20u : 0);
        _domain.Store(RequestOffset + 64, 0);
        _domain.Begin(HypercallNumber.MemoryOp, 11, _domain.Arguments);
        _after[_domain.CurrentVcpu] = _ =>
        {
            int done = (int)_domain.Load(RequestOffset + 64);
            for (int i = 0; i < done; i++)
            {
                Forget(frames[i]);
            }

            for (int i = 0; i < done >> (int)order; i++)
            {
                TakeIn(_domain.Load(ListOffset + 512 + (i * 8)), order, pfn + ((ulong)i << (int)order));
            }
        };
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

    private void Multicall()
    {
        int count = _random.Next(1, 5);
        Span<byte> bytes = _domain.ArgumentBytes.Slice(ListOffset + 1024, count * 64);
        bytes.Clear();
        for (int i = 0; i < count; i++)
        {
            Span<byte> entry = bytes.Slice(i * 64, 64);
            Span<byte> request = _domain.ArgumentBytes.Slice(RequestOffset + (i * 32), 24);
            ulong at = _domain.Arguments + RequestOffset + ((ulong)i * 32);
            switch (_random.Next(4))
            {
                case 0:
                    (ulong pointer, ulong value) = Update();
                    value = (pointer & 7) == 1 ? 0 : value;
                    pointer &= (pointer & 7) == 1 ? 0 : ~0UL;
                    Store(request, 0, pointer);
                    Store(request, 8, value);
                    Fill(entry, HypercallNumber.MmuUpdate, at, 1, 0, TestDomain.Self);
                    Last += $"[mmu_update {pointer:X} := {value:X}] ";
                    break;
                case 1:
                    MmuExtendedOp operation = Operation();
                    Store(request, 0, operation.Command);
                    Store(request, 8, operation.Argument1);
                    Store(request, 16, operation.Argument2);
                    Fill(entry, HypercallNumber.MmuExtendedOp, at, 1, 0, TestDomain.Self);
                    Last += $"[mmuext_op {(MmuExtendedCommand)operation.Command} {operation.Argument1:X} {operation.Argument2:X}] ";
                    break;
                case 2:
                    int slot = _random.Next(8);
                    ulong proposal = Proposal(1);
                    Fill(entry, HypercallNumber.UpdateVaMapping, TestDomain.Window(slot), proposal, 0, 0);
                    Last += $"[update_va_mapping slot {slot} := {proposal:X}] ";
                    break;
                default:
                    ulong buffer = TestDomain.Window(_random.Next(8)) + 128;
                    Fill(entry, HypercallNumber.XenVersion, 1, buffer, 0, 0);
                    Last += $"[xen_version to {buffer:X}] ";
                    break;
            }
        }

        _domain.Begin(HypercallNumber.Multicall, _domain.Arguments + ListOffset + 1024, (ulong)count);
    }

    private static void Fill(Span<byte> entry, HypercallNumber number, ulong argument0, ulong argument1, ulong argument2, ulong argument3)
    {
        Store(entry, 0, (ulong)number);
        Store(entry, 16, argument0);
        Store(entry, 24, argument1);
        Store(entry, 32, argument2);
        Store(entry, 40, argument3);
    }

    private static void Store(Span<byte> bytes, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], value);
}
