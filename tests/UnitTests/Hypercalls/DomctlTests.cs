// The toolstack's operations on single domains.
using System.Runtime.InteropServices;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;
using Layout = Xenolith.Abi.VcpuGuestContextLayout;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class DomctlTests
{
    private const ulong Entry = 0xFFFF_FFFF_8100_0000;
    private const int Pages = 64;

    private const long NotPermitted = -(long)XenError.NotPermitted;
    private const long NoSuchDomain = -(long)XenError.NoSuchDomain;
    private const long AccessDenied = -(long)XenError.AccessDenied;
    private const long Fault = -(long)XenError.Fault;
    private const long Exists = -(long)XenError.Exists;
    private const long Invalid = -(long)XenError.Invalid;
    private const long NoMemory = -(long)XenError.NoMemory;
    private const long NotImplemented = -(long)XenError.NotImplemented;
    private const long NotSupported = -(long)XenError.NotSupported;
    private const long NoData = -(long)XenError.NoData;

    private readonly TestDomain _control;
    private readonly Toolstack _tools;

    public DomctlTests()
    {
        _control = TestDomain.Create();
        _tools = new Toolstack(_control);
    }

    /// <summary>The way of every domain: made, filled, pinned, given its registers, started, stopped, destroyed. Nothing is left of it.</summary>
    [Fact]
    public void ADomainLivesFromCreationToDestruction()
    {
        FrameAudit audit = new();
        _tools.Domctl(DomctlCommand.DestroyDomain, Build(out _));
        ulong free = FrameAllocator.FreeFrames;
        ushort id = Build(out Mfn root);
        audit.Check();
        DomainInfo info = _tools.Info(id);
        Assert.Equal((ulong)Pages, info.TotalPages);
        Assert.Equal(1u, info.HighestVcpu);
        Assert.Equal(1u, info.OnlineVcpus);
        Assert.Equal(DomainInfo.Paused, info.Flags & (DomainInfo.Paused | DomainInfo.ShutDown | DomainInfo.Dying));
        Assert.Equal(DomainTable.At(id).SharedInfo.Value, info.SharedInfoFrame);
        Assert.True(FrameTable.At(root).IsPinned);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.UnpauseDomain, id));
        Assert.Equal(DomainState.Running, DomainTable.At(id).State);
        Assert.True(VcpuTable.At(DomainTable.At(id).VcpuIndex(0)).Schedule.IsRunnable);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.UnpauseDomain, id));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.PauseDomain, id));
        Assert.False(VcpuTable.At(DomainTable.At(id).VcpuIndex(0)).Schedule.IsRunnable);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.DestroyDomain, id));
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.PauseDomain, id));
        Assert.Equal(free, FrameAllocator.FreeFrames);
        TlbClock.Settle();
        audit.Check();
    }

    [Fact]
    public void IdsAreNotUsedAgainSoon()
    {
        ushort first = _tools.Create(Toolstack.Ordinary());
        Assert.Equal(0, _tools.Domctl(DomctlCommand.DestroyDomain, first));
        Assert.True(_tools.Create(Toolstack.Ordinary()) > first);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.CreateDomain, 40, Toolstack.Ordinary()));
        Assert.Equal(40, _tools.Domain);
        Assert.Equal(Exists, _tools.Domctl(DomctlCommand.CreateDomain, 40, Toolstack.Ordinary()));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.CreateDomain, DomainIds.Invalid, Toolstack.Ordinary()));
        Assert.Equal(first + 2, _tools.Domain);
    }

    [Fact]
    public void ANewDomainIsPausedAndHasWhatItWasToldTo()
    {
        CreateDomain settings = Toolstack.Ordinary(3);
        settings.Handle[0] = 0x12;
        settings.Handle[15] = 0x34;
        settings.SecurityId = 7;
        settings.Flags = CreateDomain.XenstoreDomain;
        ushort id = _tools.Create(settings);
        DomainInfo info = _tools.Info(id);
        Assert.Equal(DomainInfo.NoVcpu, info.HighestVcpu);
        Assert.Equal(DomainInfo.Paused | DomainInfo.Blocked | DomainInfo.XenstoreDomain, info.Flags);
        Assert.Equal((0x12, 0x34, 7u), (info.Handle[0], info.Handle[15], info.SecurityId));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.MaximumVcpus, id, 2u));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumVcpus, id, 3u));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumVcpus, id, 3u));
        Assert.Equal(2u, _tools.Info(id).HighestVcpu);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumMemory, id, 4096UL));
        Assert.Equal(1024UL, _tools.Info(id).MaximumPages);
    }

    [Fact]
    public void SettingsThatNoDomainHereCanHaveAreRefused()
    {
        CreateDomain settings = Toolstack.Ordinary();
        Refused(settings with { Flags = 1 });
        Refused(settings with { Flags = 32 });
        Refused(settings with { IommuOptions = 1 });
        Refused(settings with { MaximumVcpus = 0 });
        Refused(settings with { MaximumVcpus = Domain.MaximumVcpus + 1 });
        Refused(settings with { MaximumGrantFrames = 0 });
        Refused(settings with { MaximumGrantFrames = 65 });
        Refused(settings with { MaximumMapTrackFrames = 1025 });
        Refused(settings with { GrantOptions = 0 });
        Refused(settings with { GrantOptions = 2 });
        Refused(settings with { TraceBytes = 4096 });
        Refused(settings with { EmulationFlags = 1 });
        Refused(settings with { MiscellaneousFlags = 2 });
        Refused(settings with { CpuPool = 1 }, -(long)XenError.NoDevice);
        Assert.Equal(1, DomainTable.Living);

        void Refused(CreateDomain bad, long error = Invalid) => Assert.Equal(error, _tools.Domctl(DomctlCommand.CreateDomain, 0, bad));
    }

    [Fact]
    public void TheHeaderIsCheckedFirst()
    {
        ushort id = _tools.Create(Toolstack.Ordinary());
        Assert.Equal(Fault, _control.Call(HypercallNumber.Domctl, 0));
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.PauseDomain, 9));
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.PauseDomain, DomainIds.Self));
        Assert.Equal(NotImplemented, _tools.Domctl((DomctlCommand)999, id));
        Assert.Equal(NotSupported, _tools.Domctl(DomctlCommand.SetHvmContext, id));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.PauseDomain, _control.Id));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.DestroyDomain, _control.Id));
        _tools.Write(4, DomctlHeader.CurrentVersion + 1);
        Assert.Equal(AccessDenied, _control.Call(HypercallNumber.Domctl, Toolstack.Structure));
    }

    [Fact]
    public void OnlyDomain0Controls()
    {
        TestDomain ordinary = TestDomain.CreateOther(5);
        Toolstack tools = new(ordinary);
        Assert.Equal(NotPermitted, tools.Domctl(DomctlCommand.CreateDomain, 0, Toolstack.Ordinary()));
        Assert.Equal(NotPermitted, tools.Domctl(DomctlCommand.GetDomainInfo, 0));
        Assert.Equal(NotPermitted, tools.Domctl(DomctlCommand.PauseDomain, 5));
        Assert.Equal(NotPermitted, tools.Domctl(DomctlCommand.PauseDomain, 77));
        Assert.Equal(NotPermitted, tools.Sysctl(SysctlCommand.PhysicalInfo, 0UL));
    }

    [Fact]
    public void InfoSkipsHolesAndEnds()
    {
        Assert.Equal(0, _tools.Domctl(DomctlCommand.CreateDomain, 9, Toolstack.Ordinary()));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetDomainInfo, 1));
        Assert.Equal(9, _tools.Domain);
        Assert.Equal(9, _tools.ReadArguments<DomainInfo>().Domain);
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.GetDomainInfo, 10));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.GetDomainInfo, DomainIds.FirstReserved));
    }

    /// <summary>What was set is read back, but for what a guest may not choose.</summary>
    [Fact]
    public void AContextIsReadBackAsItWasSet()
    {
        ushort id = Build(out Mfn root, out Mfn gdt);
        Assert.Equal(NoData, GetContext(id, 1));
        _tools.ClearBuffers();
        FillContext(root);
        _tools.WriteContext(Layout.Registers + 144, 0x3002);
        _tools.WriteContext(Layout.GdtFrames, gdt.Value);
        _tools.WriteContext(Layout.GdtEntries, 100);
        _tools.WriteContext(Layout.TrapTable + (14 * 16), 14 | (5UL << 8) | (0xE033UL << 16));
        _tools.WriteContext(Layout.TrapTable + (14 * 16) + 8, Entry + 0x100);
        _tools.WriteContext(Layout.SyscallCallback, Entry + 0x200);
        _tools.WriteContext(Layout.EventCallback, Entry + 0x300);
        _tools.WriteContext(Layout.FailsafeCallback, Entry + 0x400);
        _tools.WriteContext(Layout.FsBase, 0x7000);
        _tools.WriteContext(Layout.GsBaseKernel, Entry);
        _tools.WriteContext(Layout.GsBaseUser, 0x5000);
        _tools.WriteContext(Layout.Assists, ulong.MaxValue);
        _tools.WriteContext(160, 0x1111);
        _tools.WriteContext(24, 0x1F80);
        _tools.WriteContext(Layout.Flags, Layout.InKernel | Layout.FloatingPointValid | Layout.SyscallMasksEvents);
        Assert.Equal(0, SetContext(id, 1));
        _tools.ClearBuffers();
        Assert.Equal(0, GetContext(id, 1));
        Assert.Equal(Entry, _tools.ReadContext(Layout.Registers + 128));
        Assert.Equal(0x3202UL, _tools.ReadContext(Layout.Registers + 144));
        Assert.Equal(0xE033UL, _tools.ReadContext(Layout.Registers + 136));
        Assert.Equal(root.Address.Value, _tools.ReadContext(Layout.KernelRoot));
        Assert.Equal(0UL, _tools.ReadContext(Layout.UserRoot));
        Assert.Equal((gdt.Value, 100UL), (_tools.ReadContext(Layout.GdtFrames), _tools.ReadContext(Layout.GdtEntries)));
        Assert.Equal(14 | (5UL << 8) | (0xE033UL << 16), _tools.ReadContext(Layout.TrapTable + (14 * 16)));
        Assert.Equal(Entry + 0x100, _tools.ReadContext(Layout.TrapTable + (14 * 16) + 8));
        Assert.Equal(Entry + 0x200, _tools.ReadContext(Layout.SyscallCallback));
        Assert.Equal(Entry + 0x300, _tools.ReadContext(Layout.EventCallback));
        Assert.Equal(Entry + 0x400, _tools.ReadContext(Layout.FailsafeCallback));
        Assert.Equal((0x7000UL, Entry, 0x5000UL), (_tools.ReadContext(Layout.FsBase), _tools.ReadContext(Layout.GsBaseKernel), _tools.ReadContext(Layout.GsBaseUser)));
        Assert.Equal(0x1111UL, _tools.ReadContext(160));
        Assert.Equal(Layout.InKernel | Layout.FloatingPointValid | Layout.SyscallMasksEvents, _tools.ReadContext(Layout.Flags));
        Assert.Equal(0, SetContext(id, 1));
        _tools.WriteContext(Layout.GdtEntries, 99);
        Assert.Equal(NotSupported, SetContext(id, 1));
        new FrameAudit().Check();
    }

    [Fact]
    public void ABadContextLeavesNothingBehind()
    {
        ushort id = Build(out Mfn root, out Mfn gdt);
        FrameAudit audit = new();
        Bad(Layout.Registers + 128, 0x8000_0000_0000_0000);
        Bad(Layout.EventCallback, 1UL << 48);
        Bad(Layout.GsBaseUser, 1UL << 63);
        Bad(Layout.TrapTable + (255 * 16) + 8, 1UL << 60);
        Bad(Layout.GdtEntries, 7169);
        Bad(Layout.LdtEntries, 8193);
        Bad(Layout.KernelRoot, 0);
        Bad(Layout.KernelRoot, _control.KernelL4.Address.Value);
        Bad(Layout.KernelRoot, 0x7FFF_FFFF_F000);
        PhysicalMemory.Word(gdt, 3) = TestDomain.Entry(_control.KernelL3, TestDomain.TableFlags);
        Bad(Layout.UserRoot, gdt.Address.Value | 1);
        Bad(Layout.GdtEntries, 5, root.Value);
        Assert.Equal(Invalid, SetContext(id, 2));
        Assert.Equal(Fault, _tools.Domctl(DomctlCommand.SetVcpuContext, id, new VcpuContextArguments { Vcpu = 1, Context = 0x1000 }));

        void Bad(int offset, ulong value, ulong gdtFrame = 0)
        {
            FillContext(root);
            _tools.WriteContext(Layout.GdtFrames, gdtFrame);
            _tools.WriteContext(offset, value);
            Assert.Equal(Invalid, SetContext(id, 1));
            Assert.Equal(NoData, GetContext(id, 1));
            _tools.ClearBuffers();
            audit.Check();
        }
    }

    /// <summary>A null context takes the state away; the vcpu can be given another.</summary>
    [Fact]
    public void AVcpuIsReset()
    {
        ushort id = Build(out Mfn root);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetVcpuContext, id, new VcpuContextArguments()));
        Assert.Equal(NoData, GetContext(id, 0));
        Assert.Equal(0u, _tools.Info(id).OnlineVcpus);
        new FrameAudit().Check();
        FillContext(root);
        Assert.Equal(0, SetContext(id, 0));
    }

    /// <summary>Who builds a domain clears the page that it shares with the hypervisor, before the first vcpu has its state.</summary>
    [Fact]
    public void ADomainKnowsTheTimeAlthoughItsSharedPageWasCleared()
    {
        ushort id = Build(out Mfn root);
        Mfn page = DomainTable.At(id).SharedInfo;
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetTimeOffset, id, 3600L));
        uint seconds = PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSeconds);
        Assert.NotEqual(0u, seconds);
        PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSeconds) = 0;
        FillContext(root);
        Assert.Equal(0, SetContext(id, 0));
        Assert.Equal(seconds, PhysicalMemory.Word32(page, SharedInfoLayout.WallClockSeconds));
    }

    /// <summary>The context of a vcpu whose tables take longer than a slice is set in the end.</summary>
    [Fact]
    public void TablesAreTakenInSlices()
    {
        ushort id = Build(out Mfn root);
        Assert.Equal(0, _control.Extended(MmuExtendedCommand.UnpinTable, root.Value, foreign: id));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetVcpuContext, id, new VcpuContextArguments()));
        Preemption.SliceTicks = 0;
        FillContext(root);
        Assert.Equal(0, SetContext(id, 0));
        Preemption.SliceTicks = 1_000_000_000;
        new FrameAudit().Check();
    }

    [Fact]
    public void AShutDownDomainSaysWhyAndCanGoOn()
    {
        ushort id = Build(out _);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.UnpauseDomain, id));
        uint port = BindVirq(VirtualIrq.DomainException);
        _tools.Write(0, (uint)id);
        _tools.Write(4, (uint)ShutdownReason.Suspend);
        Assert.Equal(0, _control.Call(HypercallNumber.SchedOp, 4, Toolstack.Structure));
        Assert.True(TakeEvent(port));
        DomainInfo info = _tools.Info(id);
        Assert.Equal(DomainInfo.ShutDown | (2u << DomainInfo.ShutdownShift), info.Flags & (DomainInfo.ShutDown | (255u << DomainInfo.ShutdownShift)));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.ResumeDomain, id));
        Assert.Equal(0u, _tools.Info(id).Flags & DomainInfo.ShutDown);
        Assert.True(VcpuTable.At(DomainTable.At(id).VcpuIndex(0)).Schedule.IsRunnable);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.ResumeDomain, id));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.DestroyDomain, id));
        Assert.True(TakeEvent(port));
    }

    /// <summary>Who has subscribed to a suspension is told through the domain's own port, and nobody else is.</summary>
    [Fact]
    public void ASubscriberIsToldOfASuspension()
    {
        ushort id = Build(out _);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.UnpauseDomain, id));
        uint virqPort = BindVirq(VirtualIrq.DomainException);
        _tools.Write(0, id);
        _tools.Write(2, _control.Id);
        Assert.Equal(0, _control.Call(HypercallNumber.EventChannelOp, 6, Toolstack.Structure));
        uint remote = _tools.Read<uint>(4);
        _tools.Write(0, (uint)id);
        _tools.Write(4, remote);
        Assert.Equal(0, _control.Call(HypercallNumber.EventChannelOp, 0, Toolstack.Structure));
        uint local = _tools.Read<uint>(8);
        TakeEvent(local);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.Subscribe, id, remote));
        DomainShutdown.Request(ref DomainTable.At(id), ShutdownReason.Suspend);
        Assert.True(TakeEvent(local));
        Assert.False(TakeEvent(virqPort));
    }

    [Fact]
    public void AVirqOfTheMachineGoesToItsHandler()
    {
        TestDomain store = TestDomain.CreateOther(3);
        _control.Enter(0);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetVirqHandler, 3, (uint)VirtualIrq.Timer));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetVirqHandler, 3, 24u));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetVirqHandler, 3, (uint)VirtualIrq.DomainException));
        uint ours = BindVirq(VirtualIrq.DomainException);
        store.Store32(0, (uint)VirtualIrq.DomainException);
        store.Store32(4, 0);
        Assert.Equal(0, store.Call(HypercallNumber.EventChannelOp, 1, store.Arguments));
        uint theirs = store.Load32(8);
        _control.Enter(0);
        DomainEvent.Raise();
        Assert.False(TakeEvent(ours));
        Assert.True(Hypervisor.EventChannels.EventPorts.IsPending(ref store.Domain, theirs));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.DestroyDomain, 3));
        Assert.True(TakeEvent(ours));
    }

    /// <summary>A domain that serves another may act on that one's memory and events, on nobody else's, and on no domain's life.</summary>
    [Fact]
    public void ATargetGivesRightsOverOneDomainOnly()
    {
        ushort id = Build(out Mfn root);
        TestDomain model = TestDomain.CreateOther(20);
        TestDomain other = TestDomain.CreateOther(21);
        Assert.Equal(NotPermitted, Reservation(model, id));
        _control.Enter(0);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetTarget, 20, (ushort)20));
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.SetTarget, 20, (ushort)30));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetTarget, 20, id));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetTarget, 20, (ushort)21));
        Assert.Equal(Pages, Reservation(model, id));
        Assert.Equal(NotPermitted, Reservation(model, other.Id));
        Assert.Equal(0, model.MmuUpdate(TestDomain.EntryAddress(model.WindowL1, 3), TestDomain.Entry(root, TestDomain.Present | PageTableEntry.User), id));
        Assert.Equal(NotPermitted, new Toolstack(model).Domctl(DomctlCommand.PauseDomain, id));
        Assert.Equal(0, model.SetWindow(3, 0));
        _control.Enter(0);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.DestroyDomain, id));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.CreateDomain, id, Toolstack.Ordinary()));
        Assert.Equal(NotPermitted, Reservation(model, id));

        static long Reservation(TestDomain caller, ushort of)
        {
            caller.Store(0, of);
            return caller.Call(HypercallNumber.MemoryOp, 3, caller.Arguments);
        }
    }

    [Fact]
    public void AffinitiesAndSharesAreSetAndRead()
    {
        ushort id = Build(out _);
        _tools.Write(4096, 1UL);
        VcpuAffinity affinity = new() { Flags = VcpuAffinity.HardFlag, Hard = new ControlBitmap { Buffer = Toolstack.Buffer, Bits = 8 } };
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetVcpuAffinity, id, affinity));
        _tools.Write(4096, 0UL);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetVcpuAffinity, id, affinity));
        Assert.Equal(1, _tools.Read<byte>(4096));
        _tools.Write(4096, 2UL);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetVcpuAffinity, id, affinity));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetVcpuAffinity, id, affinity with { Vcpu = 2 }));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.GetVcpuAffinity, id, affinity with { Flags = 0 }));
        Assert.Equal(Fault, _tools.Domctl(DomctlCommand.GetVcpuAffinity, id, affinity with { Hard = new ControlBitmap { Bits = 8 } }));
        DomainSchedulerOp share = new() { Scheduler = DomainSchedulerOp.Credit2, Command = DomainSchedulerOp.Put, Weight = 512, Cap = 50 };
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SchedulerOp, id, share));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SchedulerOp, id, new DomainSchedulerOp { Scheduler = DomainSchedulerOp.Credit2, Command = DomainSchedulerOp.Get }));
        Assert.Equal((512, 50), (_tools.ReadArguments<DomainSchedulerOp>().Weight, _tools.ReadArguments<DomainSchedulerOp>().Cap));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SchedulerOp, id, share with { Scheduler = 5 }));
    }

    [Fact]
    public void TypesOfFramesAreTold()
    {
        ushort id = Build(out Mfn root, out Mfn gdt);
        _tools.Write(4096, root.Value);
        _tools.Write(4104, gdt.Value);
        _tools.Write(4112, _control.KernelL4.Value);
        _tools.Write(4120, ulong.MaxValue);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetPageFrameInfo, id, (4UL, Toolstack.Buffer)));
        Assert.Equal(
            (0xC000_0000UL, 0UL, 0xF000_0000UL, 0xF000_0000UL),
            (_tools.Read<ulong>(4096), _tools.Read<ulong>(4104), _tools.Read<ulong>(4112), _tools.Read<ulong>(4120)));
        Assert.Equal(-(long)XenError.TooBig, _tools.Domctl(DomctlCommand.GetPageFrameInfo, id, (1025UL, Toolstack.Buffer)));
    }

    [Fact]
    public void APolicyComesBackAndIsAccepted()
    {
        ushort id = _tools.Create(Toolstack.Ordinary());
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetCpuPolicy, id, default(DomainCpuPolicy)));
        DomainCpuPolicy policy = _tools.ReadArguments<DomainCpuPolicy>();
        policy.Leaves = Toolstack.Buffer;
        policy.Msrs = Toolstack.Buffer + 8192;
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetCpuPolicy, id, policy));
        policy = _tools.ReadArguments<DomainCpuPolicy>();
        Assert.InRange(policy.LeafCount, 10u, 96u);
        Assert.Equal(-(long)XenError.NoBufferSpace, _tools.Domctl(DomctlCommand.GetCpuPolicy, id, policy with { LeafCount = 3 }));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetCpuPolicy, id, policy));
        CpuIdLeaf first = _tools.Read<CpuIdLeaf>(4096);
        _tools.Write(4096, first with { Eax = 0x20 });
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetCpuPolicy, id, policy));
        Assert.Equal(0u, _tools.ReadArguments<DomainCpuPolicy>().BadLeaf);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.UnpauseDomain, id));
        Assert.Equal(Exists, _tools.Domctl(DomctlCommand.SetCpuPolicy, id, policy));
    }

    /// <summary>A feature that the toolstack has taken away is not there for the domain.</summary>
    [Fact]
    public void AFeatureIsTakenAway()
    {
        const uint Popcnt = 1 << 23;
        FakeCpu.CpuIdLeaves[(1, 0)] = new CpuIdResult { Ecx = Popcnt };
        ushort id = _tools.Create(Toolstack.Ordinary());
        Assert.NotEqual(0u, Hypervisor.Traps.GuestCpuId.Query(ref DomainTable.At(id), 0, 1, 0).Ecx & Popcnt);
        _tools.Write(4096, new CpuIdLeaf { Leaf = 1, Subleaf = CpuIdLeaf.NoSubleaf, Ecx = ~Popcnt, Edx = uint.MaxValue });
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetCpuPolicy, id, new DomainCpuPolicy { LeafCount = 1, Leaves = Toolstack.Buffer }));
        Assert.Equal(0u, Hypervisor.Traps.GuestCpuId.Query(ref DomainTable.At(id), 0, 1, 0).Ecx & Popcnt);
        Assert.NotEqual(0u, Hypervisor.Traps.GuestCpuId.Query(ref _control.Domain, 0, 1, 0).Ecx & Popcnt);
    }

    [Fact]
    public void LimitsOfTheSettingsHold()
    {
        CreateDomain settings = Toolstack.Ordinary();
        settings.MaximumEventPort = 3;
        settings.MaximumGrantFrames = 2;
        ushort id = _tools.Create(settings);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumVcpus, id, 1u));
        for (uint port = 1; port <= 3; port++)
        {
            Assert.Equal(0, AllocatePort(id));
        }

        Assert.Equal(-(long)XenError.NoSpace, AllocatePort(id));
        _tools.Write(0, new AcquireArguments { Domain = id, Type = 1 });
        Assert.Equal(0, _control.Call(HypercallNumber.MemoryOp, 28, Toolstack.Structure));
        Assert.Equal(2u, _tools.Read<AcquireArguments>(0).Count);
        _tools.Write(0, new AcquireArguments { Domain = id, Type = 1, Count = 3, List = Toolstack.Buffer });
        Assert.Equal(NoMemory, _control.Call(HypercallNumber.MemoryOp, 28, Toolstack.Structure));

        long AllocatePort(ushort of)
        {
            _tools.Write(0, of);
            _tools.Write(2, _control.Id);
            return _control.Call(HypercallNumber.EventChannelOp, 6, Toolstack.Structure);
        }
    }

    [Fact]
    public void SmallSettingsAnswer()
    {
        ushort id = Build(out _, out Mfn gdt);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetAddressSize, id, 64u));
        Assert.Equal(NotSupported, _tools.Domctl(DomctlCommand.SetAddressSize, id, 32u));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetAddressSize, id, 16u));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetAddressSize, id));
        Assert.Equal(64u, _tools.ReadArguments<uint>());
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetTscInfo, id, new TscInfo { Incarnation = 4 }));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.SetTscInfo, id, new TscInfo { Mode = 3 }));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetTscInfo, id));
        Assert.Equal(4u, _tools.ReadArguments<TscInfo>().Incarnation);
        uint before = PhysicalMemory.Word32(DomainTable.At(id).SharedInfo, SharedInfoLayout.WallClockSeconds);
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetTimeOffset, id, 3600L));
        Assert.Equal(before + 3600, PhysicalMemory.Word32(DomainTable.At(id).SharedInfo, SharedInfoLayout.WallClockSeconds));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.HypercallInit, id, gdt.Value));
        Assert.NotEqual(0UL, PhysicalMemory.Word(gdt, 0));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.HypercallInit, id, _control.KernelL4.Value));
        Assert.Equal(NotSupported, _tools.Domctl(DomctlCommand.IoportPermission, id, (0x60u, 1u, 1u)));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetVcpuInfo, id, new VcpuStatus()));
        Assert.Equal(1, _tools.ReadArguments<VcpuStatus>().Online);
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.GetVcpuInfo, id, new VcpuStatus { Vcpu = 2 }));
        Assert.Equal(Invalid, _tools.Domctl(DomctlCommand.GetVcpuCounts, id, new VcpuCounts { Vcpu = 2 }));
        Assert.Equal(NoData, _tools.Domctl(DomctlCommand.GetDomainName, id, default(DomainName)));
        Assert.Equal(NoSuchDomain, _tools.Domctl(DomctlCommand.GetExtendedVcpuContext, id, new ExtendedVcpuContext { Vcpu = 2 }));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetVcpuMsrs, id, new VcpuMsrs()));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.SetVcpuMsrs, id, new VcpuMsrs()));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.GetVcpuExtendedState, id, new VcpuExtendedState()));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.ShadowOp, id, 0u));
        Assert.Equal(NotSupported, _tools.Domctl(DomctlCommand.ShadowOp, id, 2u));
    }

    /// <summary>A domain of two vcpus with its pages, tables of one mapping pinned, vcpu 0 ready to run.</summary>
    private ushort Build(out Mfn root) => Build(out root, out _);

    private ushort Build(out Mfn root, out Mfn gdt)
    {
        ushort id = _tools.Create(Toolstack.Ordinary(2));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumVcpus, id, 2u));
        Assert.Equal(0, _tools.Domctl(DomctlCommand.MaximumMemory, id, Pages * 4UL));
        Mfn[] frames = _tools.Populate(id, Pages);
        root = frames[0];
        gdt = frames[10];
        Assert.Equal(0, _tools.Map(0, frames[1], id));
        PhysicalMemory.Word(frames[0], 511) = TestDomain.Entry(frames[1], TestDomain.TableFlags);
        PhysicalMemory.Word(frames[1], 510) = TestDomain.Entry(frames[2], TestDomain.TableFlags);
        PhysicalMemory.Word(frames[2], 8) = TestDomain.Entry(frames[3], TestDomain.TableFlags);
        PhysicalMemory.Word(frames[3], 0) = TestDomain.Entry(frames[4], TestDomain.ReadWrite | PageTableEntry.User);
        Assert.Equal(Invalid, _control.Extended(MmuExtendedCommand.PinL4Table, root.Value, foreign: id));
        Assert.Equal(0, _control.SetWindow(0, 0));
        Assert.Equal(0, _control.Extended(MmuExtendedCommand.PinL4Table, root.Value, foreign: id));
        FillContext(root);
        Assert.Equal(0, SetContext(id, 0));
        return id;
    }

    private void FillContext(Mfn root)
    {
        _tools.ClearBuffers();
        _tools.WriteContext(Layout.Flags, Layout.InKernel | Layout.Online);
        _tools.WriteContext(Layout.Registers + 128, Entry);
        _tools.WriteContext(Layout.Registers + 136, Selectors.FlatCode64);
        _tools.WriteContext(Layout.Registers + 144, 0x200);
        _tools.WriteContext(Layout.Registers + 152, Entry + 0x1000);
        _tools.WriteContext(Layout.Registers + 160, Selectors.FlatData);
        _tools.WriteContext(Layout.KernelRoot, root.Address.Value);
    }

    private long SetContext(ushort id, uint vcpu)
        => _tools.Domctl(DomctlCommand.SetVcpuContext, id, new VcpuContextArguments { Vcpu = vcpu, Context = Toolstack.Buffer });

    private long GetContext(ushort id, uint vcpu)
        => _tools.Domctl(DomctlCommand.GetVcpuContext, id, new VcpuContextArguments { Vcpu = vcpu, Context = Toolstack.Buffer });

    private uint BindVirq(VirtualIrq virq)
    {
        _tools.Write(0, (uint)virq);
        _tools.Write(4, 0u);
        Assert.Equal(0, _control.Call(HypercallNumber.EventChannelOp, 1, Toolstack.Structure));
        return _tools.Read<uint>(8);
    }

    private bool TakeEvent(uint port)
    {
        ref ulong word = ref PhysicalMemory.Word(_control.Domain.SharedInfo, (SharedInfoLayout.EventPending / 8) + (int)(port / 64));
        bool isPending = ((word >> (int)(port % 64)) & 1) != 0;
        word &= ~(1UL << (int)(port % 64));
        return isPending;
    }

    [StructLayout(LayoutKind.Explicit, Size = 16)]
    private struct VcpuContextArguments
    {
        [FieldOffset(0)] public uint Vcpu;
        [FieldOffset(8)] public ulong Context;
    }

    [StructLayout(LayoutKind.Explicit, Size = 32)]
    private struct AcquireArguments
    {
        [FieldOffset(0)] public ushort Domain;
        [FieldOffset(2)] public ushort Type;
        [FieldOffset(8)] public uint Count;
        [FieldOffset(24)] public ulong List;
    }
}
