// A small domain on a fresh fake machine, and the hypercalls it makes.
using System.Buffers.Binary;
using System.Collections.Generic;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Hypercalls;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.PageTables;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.UnitTests.Support;

/// <summary>
/// A domain with shared_info, vcpus, an L4 table and, in its address space: one page of arguments per vcpu, and a window of page slots
/// whose L1 table tests may change. All hypercalls go through the dispatcher, with the registers a guest would have.
/// </summary>
internal sealed class TestDomain
{
    internal const int WindowSlots = 64;
    internal const ulong Self = DomainIds.Self;
    internal const ulong Present = PageTableEntry.Present;
    internal const ulong ReadWrite = PageTableEntry.Present | PageTableEntry.Writable;
    internal const ulong TableFlags = PageTableEntry.Present | PageTableEntry.Writable | PageTableEntry.User;

    private const ulong Kernel = 0xFFFF_FFFF_8000_0000;
    private const ulong WindowBase = Kernel + (2 << 20);
    private const ulong CodeAddress = 0x1000;
    private const int Continuations = 100_000;

    private readonly ushort _id;

    private TestDomain(ushort id, bool isPrivileged, int vcpus)
    {
        _id = id;
        Assert.Equal(XenError.None, DomainCreation.TryCreate(id));
        ref Domain domain = ref Domain;
        domain.IsPrivileged = isPrivileged;
        domain.State = DomainState.Running;
        domain.Memory.MaximumPages = 4096;
        KernelL4 = NewPage();
        KernelL3 = NewPage();
        Mfn kernelL2 = NewPage();
        Mfn kernelL1 = NewPage();
        WindowL1 = NewPage();
        PhysicalMemory.Word(KernelL4, 511) = Entry(KernelL3, TableFlags);
        PhysicalMemory.Word(KernelL3, 510) = Entry(kernelL2, TableFlags);
        PhysicalMemory.Word(kernelL2, 0) = Entry(kernelL1, TableFlags);
        PhysicalMemory.Word(kernelL2, 1) = Entry(WindowL1, TableFlags);
        Fixed = [KernelL4, KernelL3, kernelL2, kernelL1, WindowL1];
        for (int i = 0; i < vcpus; i++)
        {
            Mfn page = NewPage();
            Fixed.Add(page);
            PhysicalMemory.Word(kernelL1, i) = Entry(page, ReadWrite);
        }

        for (int i = 0; i < vcpus; i++)
        {
            AddVcpu(i);
        }

        Preemption never = Preemption.Never;
        for (int i = 0; i < vcpus; i++)
        {
            Assert.Equal(XenError.None, PageTypes.TryTake(ref domain, KernelL4, PageType.L4, ref never));
            Vcpu(i).Context.KernelRoot = KernelL4.Address.Value;
        }

        Scheduler.Up(ref Vcpu(0));
        Enter(0);
    }

    internal ref Domain Domain => ref DomainTable.At(_id);

    internal ushort Id => _id;

    internal Mfn KernelL4 { get; }

    internal Mfn KernelL3 { get; }

    /// <summary>L1 table of the window.</summary>
    internal Mfn WindowL1 { get; }

    /// <summary>Frames that the fixture itself needs.</summary>
    internal List<Mfn> Fixed { get; }

    /// <summary>Vcpu that makes the hypercalls.</summary>
    internal int CurrentVcpu { get; private set; }

    /// <summary>Address of the current vcpu's page of arguments.</summary>
    internal ulong Arguments => Kernel + ((ulong)CurrentVcpu * 4096);

    /// <summary>The bytes at <see cref="Arguments"/>.</summary>
    internal Span<byte> ArgumentBytes => PhysicalMemory.Bytes(Fixed[5 + CurrentVcpu]);

    internal ref VcpuInfo Info => ref VcpuInfoPage.Info(ref Vcpu(CurrentVcpu));

    /// <summary>A new machine with one domain: Domain 0, or, unprivileged, domain 1.</summary>
    internal static TestDomain Create(bool isPrivileged = true, int vcpus = 2, int megabytes = 32)
    {
        ResetMachine(megabytes);
        return new TestDomain((ushort)(isPrivileged ? 0 : 1), isPrivileged, vcpus);
    }

    /// <summary>A fresh machine without domains.</summary>
    internal static void ResetMachine(int megabytes = 32)
    {
        FakeMachine.Reset(megabytes);
        Preemption.SliceTicks = 1_000_000_000;
        SystemTime.Begin();
        SystemTime.Initialize(1_000_000, true);
        EntryRules.Initialize();
        int frames = (int)FakeMachine.FrameCount;
        FrameTable.Initialize(NewTable<FrameInfo>(frames));
        DomainTable.Initialize(GrowableTable<Domain>.Reserve(DomainTable.Capacity));
        DomainConsoles.Initialize(GrowableTable<DomainConsole>.Reserve(DomainConsoles.Capacity));
        VcpuTable.Initialize(GrowableTable<Vcpu>.Reserve(VcpuTable.Capacity), GrowableTable<VcpuContext>.Reserve(VcpuTable.Capacity));
        FrameTable.Reserve(new Mfn(FrameTable.LowFrames), FakeMachine.FrameCount);
        FrameAllocator.Initialize();
        FrameAllocator.AddRange(new Mfn(FakeMachine.FirstUsableFrame), FakeMachine.FrameCount - FakeMachine.FirstUsableFrame);
        Scheduler.Initialize();
        ProcessorTable.Current = Processor.New(0, 0);
        LocalApic.Initialize(0xFF, 0xFE);
        LocalApicTimer.Kilohertz = 1_000_000;
        PlatformInfo.HpetAddress = 0;
        Timers.OnInterrupt();
    }

    internal static ulong Entry(Mfn frame, ulong flags) => new PageTableEntry(frame, flags).Value;

    internal static ulong EntryAddress(Mfn table, int index) => table.Address.Value + ((ulong)index * 8);

    internal static ref FrameInfo Frame(Mfn frame) => ref FrameTable.At(frame);

    /// <summary>Another domain on the same machine.</summary>
    internal static TestDomain CreateOther(ushort id, bool isPrivileged = false, int vcpus = 1) => new(id, isPrivileged, vcpus);

    internal ref Vcpu Vcpu(int id) => ref VcpuTable.At(Domain.VcpuIndex((uint)id));

    /// <summary>Address of a page of the window.</summary>
    internal static ulong Window(int slot) => WindowBase + ((ulong)slot * 4096);

    /// <summary>A new cleared page of the domain.</summary>
    internal Mfn NewPage()
    {
        Assert.True(DomainFrames.TryAllocate(ref Domain, 0, 64, out Mfn frame));
        PhysicalMemory.Clear(frame);
        return frame;
    }

    /// <summary>A new page with these entries in slots 0, 1 and so on.</summary>
    internal Mfn NewTable(params ulong[] entries)
    {
        Mfn table = NewPage();
        entries.CopyTo(PhysicalMemory.Words(table));
        return table;
    }

    /// <summary>Loads a vcpu onto the processor.</summary>
    internal void Enter(int vcpu)
    {
        CurrentVcpu = vcpu;
        ref Vcpu entered = ref Vcpu(vcpu);
        if (ProcessorTable.Current.CurrentVcpu != entered.Index)
        {
            ProcessorTable.Current.CurrentVcpu = entered.Index;
            Tlb.LoadRoot(entered.Context.KernelRoot);
            TlbClock.Flushed();
        }
    }

    /// <summary>A hypercall of the current vcpu, executed again until it is done.</summary>
    internal long Call(HypercallNumber number, params ulong[] arguments)
    {
        Begin(number, arguments);
        for (int i = 0; i < Continuations; i++)
        {
            if (TryStep(out long result))
            {
                return result;
            }
        }

        throw new InvalidOperationException("a hypercall that never ends");
    }

    /// <summary>
    /// Hypercalls that the test run's domains have begun. One that is interrupted and goes on counts once, and a multicall as one, whatever
    /// it holds.
    /// </summary>
    internal static long Hypercalls { get; private set; }

    /// <summary>Puts a hypercall into the registers of the current vcpu.</summary>
    internal void Begin(HypercallNumber number, params ReadOnlySpan<ulong> arguments)
    {
        Hypercalls++;
        ref GuestRegisters registers = ref Vcpu(CurrentVcpu).Context.Registers;
        registers.Rax = (ulong)number;
        registers.Rdi = arguments.Length > 0 ? arguments[0] : 0;
        registers.Rsi = arguments.Length > 1 ? arguments[1] : 0;
        registers.Rdx = arguments.Length > 2 ? arguments[2] : 0;
        registers.R10 = arguments.Length > 3 ? arguments[3] : 0;
        registers.R8 = arguments.Length > 4 ? arguments[4] : 0;
    }

    /// <summary>Executes the hypercall instruction once; false when the guest has to execute it again.</summary>
    internal bool TryStep(out long result)
    {
        Enter(CurrentVcpu);
        ref Vcpu vcpu = ref Vcpu(CurrentVcpu);
        vcpu.Context.Registers.Rip = CodeAddress;
        HypercallDispatcher.Run(ref vcpu);
        TlbClock.Settle();
        result = (long)vcpu.Context.Registers.Rax;
        return vcpu.Context.Registers.Rip == CodeAddress;
    }

    /// <summary>One request of mmu_update; <paramref name="foreign"/> as in R10.</summary>
    internal long MmuUpdate(ulong pointer, ulong value, ulong foreign = Self)
    {
        Store(0, pointer);
        Store(8, value);
        return Call(HypercallNumber.MmuUpdate, Arguments, 1, 0, foreign);
    }

    internal long SetEntry(Mfn table, int index, ulong value, ulong foreign = Self) => MmuUpdate(EntryAddress(table, index), value, foreign);

    internal long Extended(MmuExtendedCommand command, ulong argument1 = 0, ulong argument2 = 0, ulong foreign = Self)
    {
        Store(0, (ulong)command);
        Store(8, argument1);
        Store(16, argument2);
        return Call(HypercallNumber.MmuExtendedOp, Arguments, 1, 0, foreign);
    }

    internal long Pin(Mfn table, int level) => Extended(MmuExtendedCommand.PinL1Table + (uint)(level - 1), table.Value);

    internal long Unpin(Mfn table) => Extended(MmuExtendedCommand.UnpinTable, table.Value);

    internal long SetWindow(int slot, ulong value, ulong flags = 0) => Call(HypercallNumber.UpdateVaMapping, Window(slot), value, flags);

    /// <summary>Stores a 64-bit argument.</summary>
    internal void Store(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(ArgumentBytes[offset..], value);

    internal void Store32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(ArgumentBytes[offset..], value);

    internal ulong Load(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(ArgumentBytes[offset..]);

    internal uint Load32(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(ArgumentBytes[offset..]);

    /// <summary>A frame for the iret hypercall at the start of the arguments, and RSP there: the guest goes on in its kernel.</summary>
    internal void StoreIretFrame(ulong rax)
    {
        ulong[] frame = [rax, 0, 0, 0, CodeAddress, Selectors.FlatCode64 & ~3UL, 0x202, Arguments, Selectors.FlatData & ~3UL];
        for (int i = 0; i < frame.Length; i++)
        {
            Store(i * 8, frame[i]);
        }

        Vcpu(CurrentVcpu).Context.Registers.Rsp = Arguments;
    }

    /// <summary>A reservation at an offset of the arguments.</summary>
    internal void StoreReservation(int offset, ulong extents, ulong count, uint order, uint flags = 0)
    {
        Store(offset, extents);
        Store(offset + 8, count);
        Store32(offset + 16, order);
        Store32(offset + 20, flags);
        Store(offset + 24, Self);
    }

    /// <summary>decrease_reservation of single frames.</summary>
    internal long Decrease(params Mfn[] frames)
    {
        StoreReservation(0, Arguments + 512, (ulong)frames.Length, 0);
        for (int i = 0; i < frames.Length; i++)
        {
            Store(512 + (i * 8), frames[i].Value);
        }

        return Call(HypercallNumber.MemoryOp, 1, Arguments);
    }

    /// <summary>populate_physmap of extents for the PFNs from <paramref name="pfn"/> on; the frames are left at offset 512.</summary>
    internal long Populate(ulong pfn, int count, uint order = 0)
    {
        StoreReservation(0, Arguments + 512, (ulong)count, order);
        for (int i = 0; i < count; i++)
        {
            Store(512 + (i * 8), pfn + ((ulong)i << (int)order));
        }

        return Call(HypercallNumber.MemoryOp, 6, Arguments);
    }

    /// <summary>exchange of frames for extents of an order; the new frames are left at offset 1024.</summary>
    internal long Exchange(uint outOrder, ulong pfn, uint outFlags, params Mfn[] frames)
    {
        StoreReservation(0, Arguments + 512, (ulong)frames.Length, 0);
        StoreReservation(32, Arguments + 1024, (ulong)frames.Length >> (int)outOrder, outOrder, outFlags);
        Store(64, 0);
        for (int i = 0; i < frames.Length; i++)
        {
            Store(512 + (i * 8), frames[i].Value);
        }

        for (int i = 0; i < frames.Length >> (int)outOrder; i++)
        {
            Store(1024 + (i * 8), pfn + ((ulong)i << (int)outOrder));
        }

        return Call(HypercallNumber.MemoryOp, 11, Arguments);
    }

    private static Table<T> NewTable<T>(int count)
        where T : unmanaged
        => Table<T>.Over(EarlyFrames.Allocate(Table<T>.FramesFor(count)), count);

    private void AddVcpu(int id)
    {
        Assert.Equal(XenError.None, DomainCreation.TryAddVcpu(ref Domain));
        ref Vcpu vcpu = ref Vcpu(id);
        vcpu.Context.InKernel = 1;
        vcpu.IsInitialized = true;
    }
}
