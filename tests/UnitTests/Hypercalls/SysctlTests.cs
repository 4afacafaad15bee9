// The toolstack's questions about the machine.
using System.Text;
using Xenolith.Abi;
using Xenolith.Hypervisor;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Memory;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class SysctlTests
{
    private const long AccessDenied = -(long)XenError.AccessDenied;
    private const long Fault = -(long)XenError.Fault;
    private const long NoEntry = -(long)XenError.NoEntry;
    private const long Invalid = -(long)XenError.Invalid;
    private const long NotImplemented = -(long)XenError.NotImplemented;
    private const long NotSupported = -(long)XenError.NotSupported;
    private const long NoBufferSpace = -(long)XenError.NoBufferSpace;

    private readonly TestDomain _control;
    private readonly Toolstack _tools;

    public SysctlTests()
    {
        _control = TestDomain.Create();
        _tools = new Toolstack(_control);
    }

    [Fact]
    public void TheHeaderIsCheckedFirst()
    {
        Assert.Equal(Fault, _control.Call(HypercallNumber.Sysctl, 0));
        Assert.Equal(NotImplemented, _tools.Sysctl((SysctlCommand)99, 0UL));
        Assert.Equal(NotImplemented, _tools.Sysctl(SysctlCommand.TraceBufferOp, 0UL));
        Assert.Equal(NotSupported, _tools.Sysctl(SysctlCommand.CpuHotplug, 0UL));
        _tools.Write(4, SysctlHeader.CurrentVersion + 1);
        Assert.Equal(AccessDenied, _control.Call(HypercallNumber.Sysctl, Toolstack.Structure));
    }

    [Fact]
    public void TheMachineIsDescribed()
    {
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.PhysicalInfo, 0UL));
        PhysicalInfo info = _tools.Read<PhysicalInfo>(8);
        Assert.Equal((1u, 0u, 1u), (info.ProcessorCount, info.HighestProcessor, info.NodeCount));
        Assert.True(info.ThreadsPerCore > 0 && info.CoresPerSocket > 0);
        Assert.Equal((FrameAllocator.TotalFrames, FrameAllocator.FreeFrames), (info.TotalPages, info.FreePages));
        Assert.Equal(PhysicalInfo.HasParavirtual | PhysicalInfo.HasGrantVersion1, info.Capabilities);
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.SchedulerId, 0UL));
        Assert.Equal(DomainSchedulerOp.Credit2, _tools.Read<uint>(8));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.AvailableHeap, new AvailableHeap { Node = -1 }));
        Assert.Equal(FrameAllocator.FreeFrames * 4096, _tools.Read<AvailableHeap>(8).Bytes);
        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.AvailableHeap, new AvailableHeap { Node = 1 }));
    }

    /// <summary>Null lists ask for the number; lists are filled.</summary>
    [Fact]
    public void PlacesOfProcessorsAndMemoryAreTold()
    {
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.CpuTopology, (7UL, 0UL)));
        Assert.Equal(1u, _tools.Read<uint>(8));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.CpuTopology, (7UL, Toolstack.Buffer)));
        Assert.Equal((0u, 0u, 0u), _tools.Read<(uint, uint, uint)>(4096));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.NumaInfo, default(NumaInfo)));
        Assert.Equal(1u, _tools.Read<uint>(8));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.NumaInfo, new NumaInfo { Count = 1, Memory = Toolstack.Buffer, Distances = Toolstack.Buffer + 64 }));
        Assert.Equal(FrameAllocator.FreeFrames * 4096, _tools.Read<ulong>(4104));
        Assert.Equal(10u, _tools.Read<uint>(4096 + 64));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.GetCpuInfo, (4UL, Toolstack.Buffer)));
        Assert.Equal(1u, _tools.Read<uint>(24));
        Assert.Equal(Fault, _tools.Sysctl(SysctlCommand.GetCpuInfo, (4UL, 0UL)));
    }

    [Fact]
    public void ThereIsOnePool()
    {
        ControlBitmap map = new() { Buffer = Toolstack.Buffer, Bits = 64 };
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.CpuPoolOp, new CpuPoolOp { Operation = CpuPoolOp.Info, Processors = map }));
        Assert.Equal((0u, 6u, 1u), (_tools.Read<CpuPoolOp>(8).Pool, _tools.Read<CpuPoolOp>(8).Scheduler, _tools.Read<CpuPoolOp>(8).DomainCount));
        Assert.Equal(1UL, _tools.Read<ulong>(4096));
        Assert.Equal(NoEntry, _tools.Sysctl(SysctlCommand.CpuPoolOp, new CpuPoolOp { Operation = CpuPoolOp.Info, Pool = 1, Processors = map }));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.CpuPoolOp, new CpuPoolOp { Operation = CpuPoolOp.FreeInfo, Processors = map }));
        Assert.Equal(0UL, _tools.Read<ulong>(4096));
        Assert.Equal(NotSupported, _tools.Sysctl(SysctlCommand.CpuPoolOp, new CpuPoolOp { Operation = CpuPoolOp.Create, Processors = map }));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.SchedulerOp, new PoolSchedulerOp { Scheduler = 6, Command = PoolSchedulerOp.Put, RateLimit = 2000 }));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.SchedulerOp, new PoolSchedulerOp { Scheduler = 6, Command = PoolSchedulerOp.Get }));
        Assert.Equal(2000u, _tools.Read<PoolSchedulerOp>(8).RateLimit);
        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.SchedulerOp, new PoolSchedulerOp { Scheduler = 6, Command = PoolSchedulerOp.Put, RateLimit = 7 }));
        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.SchedulerOp, new PoolSchedulerOp { Scheduler = 5, Command = PoolSchedulerOp.Get }));
    }

    [Theory]
    [InlineData(1_000_000_000UL)]
    [InlineData(0UL)]
    public void DomainsAreListedInTheOrderOfTheirIds(ulong slice)
    {
        for (ushort id = 40; id > 30; id -= 3)
        {
            Assert.Equal(0, _tools.Domctl(DomctlCommand.CreateDomain, id, Toolstack.Ordinary()));
        }

        Preemption.SliceTicks = slice;
        Assert.Equal([0, 31, 34, 37, 40], List(0, 100));
        Assert.Equal([34, 37], List(32, 2));
        Assert.Equal([], List(41, 5));
        Assert.Equal([], List(0, 0));
        Preemption.SliceTicks = 1_000_000_000;
        Assert.Equal(Fault, _tools.Sysctl(SysctlCommand.GetDomainInfoList, new DomainInfoList { Maximum = 3 }));

        ushort[] List(ushort first, uint maximum)
        {
            Assert.Equal(0, _tools.Sysctl(SysctlCommand.GetDomainInfoList, new DomainInfoList { First = first, Maximum = maximum, Buffer = Toolstack.Buffer }));
            ushort[] ids = new ushort[_tools.Read<DomainInfoList>(8).Count];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = _tools.Read<DomainInfo>(4096 + (i * 112)).Domain;
            }

            return ids;
        }
    }

    /// <summary>A reader who says where he stopped gets what came after; the rest begins with the oldest byte.</summary>
    [Fact]
    public void TheConsoleIsReadInPieces()
    {
        Log.Plain().Text("the first line"u8).End();
        Assert.EndsWith("the first line\n", Read(0, false, out uint index), StringComparison.Ordinal);
        Assert.Equal(string.Empty, Read(index, true, out index));
        Log.Plain().Text("another"u8).End();
        Assert.Equal("another\n", Read(index, true, out _));
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.ReadConsole, new ReadConsole { Clear = 1, Buffer = Toolstack.Buffer, Count = 20_000 }));
        Assert.Equal(string.Empty, Read(0, false, out _));

        string Read(uint from, bool isIncremental, out uint next)
        {
            ReadConsole request = new() { Buffer = Toolstack.Buffer, Count = 20_000, Index = from, Incremental = isIncremental ? (byte)1 : (byte)0 };
            Assert.Equal(0, _tools.Sysctl(SysctlCommand.ReadConsole, request));
            request = _tools.Read<ReadConsole>(8);
            next = request.Index;
            byte[] text = new byte[request.Count];
            for (int i = 0; i < text.Length; i++)
            {
                text[i] = _tools.Read<byte>(4096 + i);
            }

            return Encoding.ASCII.GetString(text);
        }
    }

    [Fact]
    public void FeaturesAndPoliciesHaveTheSameRoomEverywhere()
    {
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.GetCpuFeatureSet, new CpuFeatureSet { Index = 1 }));
        uint words = _tools.Read<CpuFeatureSet>(8).Count;
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.GetCpuFeatureSet, new CpuFeatureSet { Index = 1, Count = words, Words = Toolstack.Buffer }));
        Assert.Equal(NoBufferSpace, _tools.Sysctl(SysctlCommand.GetCpuFeatureSet, new CpuFeatureSet { Index = 2, Count = words - 1, Words = Toolstack.Buffer }));
        Assert.Equal(NotSupported, _tools.Sysctl(SysctlCommand.GetCpuFeatureSet, new CpuFeatureSet { Index = 3 }));
        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.GetCpuFeatureSet, new CpuFeatureSet { Index = 6 }));
        for (uint index = 0; index < 6; index++)
        {
            bool exists = index is not (SystemCpuPolicy.HvmMaximum or SystemCpuPolicy.HvmDefault);
            Assert.Equal(exists ? 0 : NotSupported, _tools.Sysctl(SysctlCommand.GetCpuPolicy, new SystemCpuPolicy { Index = index }));
        }

        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.GetCpuPolicy, new SystemCpuPolicy { Index = 6 }));
        Assert.Equal(Invalid, _tools.Sysctl(SysctlCommand.GetCpuPolicy, new SystemCpuPolicy { Reserved = 1 }));
    }

    [Fact]
    public void KeysArePressed()
    {
        _tools.Write(4096, (byte)'h');
        Assert.Equal(0, _tools.Sysctl(SysctlCommand.DebugKeys, (Toolstack.Buffer, 1UL)));
        Assert.Equal(Fault, _tools.Sysctl(SysctlCommand.DebugKeys, (0UL, 1UL)));
    }
}
