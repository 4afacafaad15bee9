// Stale translations of one processor against what another does with the frame, in many orders.
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;
using Step = Xenolith.UnitTests.Interleavings.GuestMachine.Step;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// One vcpu writes to a page again and again through what its processor remembers of the mapping; another unmaps the page without asking for
/// a flush and makes something else of the frame. No write may reach a frame in use as a table, or one that is another's.
/// </summary>
[Trait(Soak.Kind, Soak.Random)]
public sealed class TranslationTests
{
    private const int Slot = 3;
    private const int Touches = 100;

    private TestDomain _domain = null!;
    private GuestMachine _machine = null!;
    private Mfn _frame;
    private int _touches;
    private bool _isChanged;

    [Fact]
    public void AFrameBecomesATableOnlyWhenNobodyCanWriteIt() => Explorer.Explore(() => Run(Retypes), 40);

    [Fact]
    public void AFrameIsGivenToAnotherOnlyWhenNobodyCanWriteIt() => Explorer.Explore(() => Run(GivesAway), 40);

    private void Run(GuestMachine.Program changes)
    {
        _domain = TestDomain.Create(vcpus: 2);
        Scheduler.Down(ref TestDomain.CreateOther(1).Vcpu(0));
        _frame = _domain.NewPage();
        _touches = 0;
        _isChanged = false;
        _domain.Enter(0);
        Assert.Equal(0, _domain.SetWindow(Slot, TestDomain.Entry(_frame, TestDomain.ReadWrite)));
        GuestMemory.KeepsTranslations = true;
        _machine = new GuestMachine();
        _machine.Add(_domain, 0, changes, None);
        _machine.Add(_domain, 1, Touch, None);
        _machine.Run(2);
    }

    private IEnumerable<Step> Touch()
    {
        for (_touches = 0; _touches < Touches && !_isChanged; _touches++)
        {
            Interleaving.Changed();
            if (GuestMemory.TryTranslate(TestDomain.Window(Slot), true, out ulong physical))
            {
                CheckWritable(new Mfn(physical >> 12));
            }

            yield return Step.None;
        }

        Interleaving.Changed();
    }

    private void CheckWritable(Mfn frame)
    {
        ref FrameInfo info = ref TestDomain.Frame(frame);
        bool isTable = info.Owner != FrameInfo.FreeOwner && info.TypeCount != 0 && info.Type != PageType.Writable;
        Processors.Check(!isTable, $"a guest writes to a frame in use as {info.Type}");
        Processors.Check(info.Owner == _domain.Id || info.Owner == FrameInfo.FreeOwner, $"a guest writes to a frame of domain {info.Owner}");
    }

    private IEnumerable<Step> Retypes()
    {
        while (_touches < 1)
        {
            yield return Step.Pause;
        }

        yield return new Step(HypercallNumber.UpdateVaMapping, TestDomain.Window(Slot));
        StoreOperation(MmuExtendedCommand.PinL1Table);
        yield return new Step(HypercallNumber.MmuExtendedOp, Arguments, 1, 0, TestDomain.Self);
        Processors.Check(_machine.ResultOf(ref _domain.Vcpu(0)) == 0, "the table cannot be pinned");
        StoreOperation(MmuExtendedCommand.UnpinTable);
        yield return new Step(HypercallNumber.MmuExtendedOp, Arguments, 1, 0, TestDomain.Self);
        _isChanged = true;
    }

    private IEnumerable<Step> GivesAway()
    {
        while (_touches < 1)
        {
            yield return Step.Pause;
        }

        yield return new Step(HypercallNumber.UpdateVaMapping, TestDomain.Window(Slot));
        StoreReservation(_domain.Id, _frame.Value);
        yield return new Step(HypercallNumber.MemoryOp, 1, Arguments);
        Processors.Check(TestDomain.Frame(_frame).Owner == FrameInfo.FreeOwner, "the frame has not been freed");
        StoreReservation(1, 0x100);
        yield return new Step(HypercallNumber.MemoryOp, 6, Arguments);
        _isChanged = true;
    }

    private void StoreOperation(MmuExtendedCommand command)
    {
        PhysicalMemory.Word(_domain.Fixed[5], 0) = (ulong)command;
        PhysicalMemory.Word(_domain.Fixed[5], 1) = _frame.Value;
    }

    private void StoreReservation(ushort domain, ulong frame)
    {
        PhysicalMemory.Word(_domain.Fixed[5], 0) = Arguments + 512;
        PhysicalMemory.Word(_domain.Fixed[5], 1) = 1;
        PhysicalMemory.Word(_domain.Fixed[5], 2) = 0;
        PhysicalMemory.Word(_domain.Fixed[5], 3) = domain;
        PhysicalMemory.Word(_domain.Fixed[5], 64) = frame;
    }

    private const ulong Arguments = 0xFFFF_FFFF_8000_0000;

    private static IEnumerable<Step> None()
    {
        yield break;
    }
}
