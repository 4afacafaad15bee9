// Each operation of the library on the hypervisor itself.
using Xenolith.Abi;
using Xenolith.Machine;
using Xenolith.Toolstack.Hypercalls;
using Xenolith.Toolstack.Tests.Support;

namespace Xenolith.Toolstack.Tests.Hypercalls;

[Collection(MachineCollection.Name)]
public sealed class ControlInterfaceTests : IDisposable
{
    private const ushort Missing = 4000;

    private readonly HostedHypervisor _hypervisor = new(64, 2);
    private readonly ControlInterface _control;

    public ControlInterfaceTests() => _control = new ControlInterface(_hypervisor);

    public void Dispose()
    {
        Assert.Equal(0, _hypervisor.TakenSlots);
        _control.Dispose();
    }

    [Fact]
    public void TellsWhatTheMachineHas()
    {
        MachineInformation machine = _control.Machine.Get();
        Assert.Equal((1, 1), (machine.Processors, machine.Nodes));
        Assert.Equal(HostedHypervisor.FreeFrames, machine.FreePages);
        Assert.Equal(HostedHypervisor.FreeFrames * 4096, _control.Machine.GetFreeMemory());
        Assert.True(machine.HasParavirtual);
        Assert.False(machine.HasHardwareVirtualization);
        Assert.Equal(8, machine.HardwareWords.Count);
        Assert.Single(_control.Machine.GetTopology());
        Assert.Single(_control.Machine.GetNodes());
        Assert.Single(_control.Machine.GetIdleTimes());
        Assert.Equal((long)FakeMachine.FrameCount, _control.Memory.GetFrameLimit());
        PoolInformation pool = Assert.Single(_control.Scheduling.GetPools());
        Assert.Equal((SchedulerKind.Credit2, 1), (pool.Scheduler, pool.Domains));
        Assert.Equal([0], pool.Processors);
        Assert.Empty(_control.Scheduling.GetFreeProcessors());
    }

    [Fact]
    public void TellsTheNamesOfDomainsThatWereStartedWithTheMachine()
    {
        ushort named = _control.Domains.Create(new DomainSettings());
        Assert.Null(_control.Domains.GetName(named));
        _hypervisor.NameAsAtBoot(named, "alice"u8);
        Assert.Equal("alice", _control.Domains.GetName(named));
        Assert.Null(_control.Domains.GetName(Missing));
    }

    [Fact]
    public void TellsTheHypervisorsVersion()
    {
        HypervisorVersion version = _control.Machine.GetVersion();
        Assert.Equal((4, 17), (version.Major, version.Minor));
        Assert.StartsWith("4.17", version.ToString(), StringComparison.Ordinal);
        Assert.Contains("xen-3.0-x86_64", version.Capabilities);
    }

    [Fact]
    public void ReadsTheConsoleRingFromItsStartAndFromWhereItStopped()
    {
        uint index = 0;
        _control.Machine.ReadConsole(ref index, fromStart: true);
        Assert.Empty(_control.Machine.ReadConsole(ref index));
        _control.Machine.PressDebugKeys("h");
        Assert.NotEmpty(_control.Machine.ReadConsole(ref index));
        Assert.NotEqual("", _control.Machine.ReadConsole());
        _control.Machine.ClearConsole();
        Assert.Equal("", _control.Machine.ReadConsole());
    }

    [Fact]
    public void ListsMoreDomainsThanOneCallTells()
    {
        List<ushort> made = [0];
        for (int i = 0; i < 140; i++)
        {
            made.Add(_control.Domains.Create(new DomainSettings()));
        }

        Assert.Equal(made, _control.Domains.List().Select(domain => domain.Id));
        made.Skip(1).ToList().ForEach(_control.Domains.Destroy);
        Assert.Single(_control.Domains.List());
    }

    [Fact]
    public void LeadsADomainThroughItsLife()
    {
        Guid uuid = Guid.NewGuid();
        ushort id = _control.Domains.Create(new DomainSettings { Uuid = uuid, MaximumVcpus = 2 });
        DomainInformation info = _control.Domains.Get(id);
        Assert.Equal((uuid, 0, DomainStates.Paused), (info.Uuid, info.MaximumVcpus, info.State & DomainStates.Paused));
        _control.Domains.MakeVcpus(id, 2);
        _control.Domains.SetMaximumMemory(id, 8192);
        info = _control.Domains.Get(id);
        Assert.Equal((2, 2048UL, 0UL), (info.MaximumVcpus, info.MaximumPages, info.Pages));
        ulong[] extents = [0, 512, 1024];
        Assert.Equal(3, _control.Memory.Populate(id, 9, extents));
        Assert.All(extents, frame => Assert.Equal(0UL, frame % 512));
        Assert.Equal((1536L, 2048L), (_control.Memory.GetCurrent(id), _control.Memory.GetMaximum(id)));
        Assert.Equal(1, _control.Memory.Populate(id, 9, [1536, 2048]));
        _control.Memory.SetMemoryMap(id, 16 << 20);
        Guid other = Guid.NewGuid();
        _control.Domains.SetUuid(id, other);
        Assert.Equal(other, _control.Domains.Get(id).Uuid);
        Assert.Equal(64, _control.Domains.GetAddressSize(id));
        _control.Domains.SetTimeOffset(id, TimeSpan.FromHours(1));
        Assert.Equal((1U, 2U), (_control.Domains.AllocatePort(id, 0), _control.Domains.AllocatePort(id, 0)));
        _control.Domains.Pause(id);
        _control.Domains.Unpause(id);
        Assert.True(_control.Domains.Get(id).State.HasFlag(DomainStates.Paused));
        _control.Domains.Destroy(id);
        Assert.Null(_control.Domains.Find(id));
    }

    [Fact]
    public void SetsAndTellsWhatVcpusDo()
    {
        ushort id = _control.Domains.Create(new DomainSettings());
        _control.Domains.MakeVcpus(id, 1);
        VcpuInformation vcpu = _control.Vcpus.Get(id, 0);
        Assert.Equal((false, false, TimeSpan.Zero), (vcpu.IsOnline, vcpu.IsRunning, vcpu.ProcessorTime));
        Assert.Null(_control.Vcpus.GetContext(id, 0));
        Assert.Equal([0], _control.Vcpus.SetAffinity(id, 0, [0, 7]));
        Assert.Equal([0], _control.Vcpus.GetAffinity(id, 0));
        XenException refused = Assert.Throws<XenException>(() => _control.Vcpus.SetAffinity(id, 0, [9]));
        Assert.Equal((XenError.Invalid, (ushort?)id), (refused.Error, refused.Domain));
        _control.Scheduling.SetShare(id, new SchedulerShare(100, 0));
        Assert.Equal(new SchedulerShare(100, 0), _control.Scheduling.GetShare(id));
        _control.Domains.Destroy(id);
    }

    [Fact]
    public void TellsAndSetsWhatCpuIdSays()
    {
        Assert.NotEmpty(_control.Policies.GetFeatures(1));
        CpuPolicy policy = _control.Policies.GetOfMachine(SystemCpuPolicy.PvDefault);
        Assert.NotEmpty(policy.Leaves);
        ushort id = _control.Domains.Create(new DomainSettings());
        _control.Policies.Set(id, policy);
        Assert.Equal(policy.Leaves, _control.Policies.Get(id).Leaves);
        _control.Domains.Destroy(id);
    }

    [Fact]
    public void SaysWhatFailedAndWhatToDo()
    {
        NoSuchDomainException missing = Assert.Throws<NoSuchDomainException>(() => _control.Domains.Pause(Missing));
        Assert.Equal(("pausedomain", (ushort?)Missing, XenError.NoSuchDomain), (missing.Operation, missing.Domain, missing.Error));
        Assert.Equal("pausedomain of domain 4000: there is no such domain (ESRCH, 3). It may have ended meanwhile; list the domains.", missing.Message);
        Assert.Throws<NoSuchDomainException>(() => _control.Domains.Get(Missing));
        Assert.Throws<NoSuchDomainException>(() => _control.Domains.AllocatePort(Missing, 0));
        ushort id = _control.Domains.Create(new DomainSettings());
        _control.Domains.MakeVcpus(id, 1);
        Assert.Contains("the number is taken", Assert.Throws<XenException>(() => _control.Domains.Create(new DomainSettings { Id = id })).Message, StringComparison.Ordinal);
        Assert.Contains("not allow these limits", Assert.Throws<XenException>(() => _control.Domains.Create(new DomainSettings { MaximumVcpus = 9000 })).Message, StringComparison.Ordinal);
        Assert.Throws<XenException>(() => _hypervisor.Map(id, [FakeMachine.FirstUsableFrame - 1], true));
        _control.Domains.Destroy(id);
    }

    [Fact]
    public void SaysThatThisIsNoDomain0()
    {
        Assert.SkipWhen(File.Exists("/dev/xen/privcmd"), "this is a domain of Xen's");
        HypervisorUnavailableException failure = Assert.Throws<HypervisorUnavailableException>(ControlInterface.Open);
        Assert.Contains("/dev/xen/privcmd", failure.Message, StringComparison.Ordinal);
        Assert.Contains("modprobe", failure.Advice, StringComparison.Ordinal);
    }
}
