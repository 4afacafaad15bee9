// The hypercalls of the random guest.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

internal sealed partial class RandomGuest
{
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
}
