// Rows of commands that belong together: multicalls, and pages that are retired without a flush.
using System.Buffers.Binary;
using Xenolith.Abi;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.PageTables;

internal sealed partial class RandomGuest
{
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
