// physdev_op: lines and messages.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class PhysicalInterruptTests
{
    private const uint Bar = 0xFEBF_0000;
    private const ulong Table = Bar + 0x800;
    private const byte Function = 3 << 3;

    private readonly TestDomain _domain = TestDomain.Create();
    private readonly FakeBoard _board = new();

    [Fact]
    public void ALevelLineStaysMaskedUntilItsEnd()
    {
        Assert.Equal(0, SetupGsi(17, isLevel: true));
        Assert.Equal(17, MapLine(17));
        Assert.Equal(0, BindPirq(17, out uint port));
        Assert.False(_board.IsMasked(17));
        Assert.Equal(0xA000u, _board.Line(17) & 0xA000);
        Assert.Equal(1u, Status(17));
        Interrupt(17);
        Assert.True(_board.IsMasked(17));
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
        Assert.Equal(1, _board.Ends);
        Assert.Equal(0, PirqCall(12, 17));
        Assert.False(_board.IsMasked(17));

        // Closed between interrupt and end: the end must not open a line that nobody serves.
        Interrupt(17);
        _domain.Store32(0, port);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 3, _domain.Arguments));
        Assert.True(_board.IsMasked(17));
        Assert.Equal(0, PirqCall(12, 17));
        Assert.True(_board.IsMasked(17));
    }

    [Fact]
    public void AnEdgeNeedsNoEnd()
    {
        Assert.Equal(0, SetupGsi(6, isLevel: false));
        MapLine(6);
        Assert.Equal(0, BindPirq(6, out uint port));
        Assert.Equal(0u, Status(6));
        Interrupt(6);
        Assert.False(_board.IsMasked(6));
        Assert.Equal(1, _board.Ends);
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
    }

    [Fact]
    public void TheFirstSettingOfALineWins()
    {
        Assert.Equal(0, SetupGsi(18, isLevel: true));
        Assert.Equal(-(long)XenError.Exists, SetupGsi(18, isLevel: false));
        Assert.Equal(-(long)XenError.Invalid, SetupGsi(24, isLevel: false));
        Assert.Equal(-(long)XenError.Invalid, SetupGsi(uint.MaxValue, isLevel: false));
    }

    [Fact]
    public void BindingErrors()
    {
        Assert.Equal(-(long)XenError.NotPermitted, BindPirq(5, out _));
        Assert.Equal(-(long)XenError.Invalid, BindPirq(256, out _));
        MapLine(5);
        Assert.Equal(0, BindPirq(5, out _));
        Assert.Equal(-(long)XenError.Exists, BindPirq(5, out _));
        Assert.Equal(-(long)XenError.Busy, Unmap(5));
        Assert.Equal(-(long)XenError.Invalid, PirqCall(12, 9));
        Assert.Equal(-(long)XenError.Invalid, PirqCall(12, 9999));
        Assert.Equal(-(long)XenError.Invalid, PirqCall(5, 9999));
        TestDomain other = TestDomain.CreateOther(4);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.PhysdevOp, 13, other.Arguments));
    }

    [Fact]
    public void ThePageOfEndsFollowsTheLines()
    {
        MapLine(17);
        Assert.Equal(0, BindPirq(17, out uint port));
        Mfn page = _domain.NewPage();
        PhysicalMemory.Word(page, 0) = 1UL << 6;
        _domain.Store(0, _domain.WindowL1.Value);
        Assert.Equal(-(long)XenError.Invalid, _domain.Call(HypercallNumber.PhysdevOp, 17, _domain.Arguments));
        _domain.Store(0, page.Value);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 17, _domain.Arguments));
        Assert.Equal(-(long)XenError.Busy, _domain.Call(HypercallNumber.PhysdevOp, 28, _domain.Arguments));
        Assert.Equal((1UL << 17) | (1UL << 6), PhysicalMemory.Word(page, 0));
        SetupGsi(6, isLevel: false);
        MapLine(6);
        BindPirq(6, out _);
        Assert.Equal(1UL << 17, PhysicalMemory.Word(page, 0));
        Assert.Equal(-(long)XenError.Invalid, _domain.Pin(page, 1));

        // Version 1 unmasks the event channel with the end.
        ref ulong mask = ref PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventMask / 8);
        mask = 1UL << (int)port;
        Assert.Equal(0, PirqCall(12, 17));
        Assert.Equal(0UL, mask);
    }

    [Fact]
    public void MsixIsProgrammedByTheHypervisor()
    {
        byte[] space = _board.AddFunction(Function, Bar, 4);
        Assert.Equal(0, MapMessage(3, Function, 2, Bar, out int pirq));
        Assert.Equal(0, BindPirq((uint)pirq, out uint port));
        ulong entry = Table + (2 * 16);
        Assert.Equal(0xFEE0_0000u, _board.Memory[entry] & 0xFFF0_0000);
        uint vector = _board.Memory[entry + 8];
        Assert.InRange(vector, 0x30u, 0xEFu);
        Assert.Equal(0u, _board.Memory[entry + 12]);
        Assert.Equal(0xC000_0000u, FakeBoard.Get(space, 0x40) & 0xC000_0000);
        Assert.Equal(0u, Status((uint)pirq));
        Pirqs.OnInterrupt((int)vector);
        Assert.True(EventPorts.IsPending(ref _domain.Domain, port));
        Assert.Equal(1, _board.Ends);

        // What a reset of the function loses is written again.
        _board.Memory.Clear();
        _domain.Store(0, 0UL | ((ulong)Function << 24));
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 27, _domain.Arguments));
        Assert.Equal(vector, _board.Memory[entry + 8]);
        _domain.Store32(0, port);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 3, _domain.Arguments));
        Assert.Equal(1u, _board.Memory[entry + 12]);
        Assert.Equal(0, Unmap((uint)pirq));
        Assert.Equal(-(long)XenError.NotPermitted, BindPirq((uint)pirq, out _));
    }

    [Fact]
    public void MsiIsProgrammedByTheHypervisor()
    {
        byte[] space = _board.AddFunction(Function, Bar, 4);
        Assert.Equal(0, MapMessage(4, Function, 1, 0, out int pirq));
        Assert.Equal(0, BindPirq((uint)pirq, out _));
        Assert.Equal(0xFEE0_0000u, FakeBoard.Get(space, 0x54) & 0xFFF0_0000);
        Assert.InRange(FakeBoard.Get(space, 0x5C) & 0xFFFF, 0x30u, 0xEFu);
        Assert.Equal(-(long)XenError.NotSupported, MapMessage(4, Function, 2, 0, out _));
        Assert.Equal(-(long)XenError.Domain, MapMessage(4, Function, 33, 0, out _));
        Assert.Equal(-(long)XenError.Domain, MapMessage(4, Function, 0, 0, out _));
    }

    [Fact]
    public void TablesThatLeadAstrayAreRefused()
    {
        ulong clock = PlatformInfo.HpetAddress;
        PlatformInfo.HpetAddress = 0xFED0_0000;
        Assert.Equal(-(long)XenError.NoDevice, MapMessage(3, Function, 0, Bar, out _));
        _board.AddFunction(Function, Bar, 4);
        Assert.Equal(-(long)XenError.Invalid, MapMessage(3, Function, 4, Bar, out _));
        foreach (uint bar in new[] { 0u, 0x0100_0000u, 0xFEE0_0000u, 0xFEC0_0000u, 0xFED0_0000u })
        {
            _board.AddFunction(Function, bar, 4);
            Assert.Equal(-(long)XenError.Invalid, MapMessage(3, Function, 0, Bar, out _));
        }

        PlatformInfo.HpetAddress = clock;
    }

    [Fact]
    public void ABarThatMovesAllTheTimeRunsOutOfPagesAndNothingElse()
    {
        long result = 0;
        for (uint i = 0; i < 600 && result == 0; i++)
        {
            _board.AddFunction(Function, 0xC000_0000 + (i << 12), 4);
            result = MapMessage(3, Function, 0, Bar, out int pirq);
            Assert.True(result != 0 || Unmap((uint)pirq) == 0);
        }

        Assert.Equal(-(long)XenError.NoSpace, result);
    }

    [Fact]
    public void NumbersOfMessages()
    {
        _board.AddFunction(Function, Bar, 4);
        _domain.Store(0, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 23, _domain.Arguments));
        uint free = _domain.Load32(4);
        Assert.Equal(Pirqs.LineCount, free);
        Assert.Equal(0, MapMessage(3, Function, 0, Bar, out int pirq, (int)free + 7));
        Assert.Equal((int)free + 7, pirq);
        Assert.Equal(-(long)XenError.Exists, MapMessage(3, Function, 1, Bar, out _, pirq));
        Assert.Equal(-(long)XenError.Invalid, MapMessage(3, Function, 1, Bar, out _, 3));
        Assert.Equal(-(long)XenError.Invalid, MapMessage(3, Function, 1, Bar, out _, 4000));
        MapLine(16);
        _domain.Store(0, 1);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 23, _domain.Arguments));
        Assert.Equal(17u, _domain.Load32(4));
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 22, _domain.Arguments));
        Assert.Equal((uint)Pirqs.Capacity, _domain.Load32(0));
    }

    [Fact]
    public void AnotherDomainsInterruptsAreNotGivenOut()
    {
        TestDomain.CreateOther(4);
        _domain.Enter(0);
        Assert.Equal(-(long)XenError.NotSupported, MapFor(4));
        Assert.Equal(-(long)XenError.NoSuchDomain, MapFor(9));
    }

    [Fact]
    public void PreparingAndTheRest()
    {
        _board.AddFunction(Function, Bar, 4);
        _domain.Store(0, (ulong)Function << 24);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 30, _domain.Arguments));
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 31, _domain.Arguments));
        _domain.Store(0, (ulong)(Function + 1) << 24);
        Assert.Equal(-(long)XenError.NoDevice, _domain.Call(HypercallNumber.PhysdevOp, 30, _domain.Arguments));
        Assert.Equal(-(long)XenError.NoDevice, _domain.Call(HypercallNumber.PhysdevOp, 27, _domain.Arguments));
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.PhysdevOp, 19, 0x1000_0000));
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 29, _domain.Arguments));
        Assert.Equal(-(long)XenError.Fault, _domain.Call(HypercallNumber.PhysdevOp, 24, 0x1000_0000));
        Assert.Equal(-(long)XenError.NotImplemented, _domain.Call(HypercallNumber.PhysdevOp, 99, _domain.Arguments));
        _domain.Store(0, FakeBoard.IoApicAddress);
        _domain.Store32(8, 1);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 8, _domain.Arguments));
        Assert.Equal(0x0017_0020u, _domain.Load32(12));
        Assert.Equal(-(long)XenError.NotPermitted, _domain.Call(HypercallNumber.PhysdevOp, 9, _domain.Arguments));
    }

    private void Interrupt(int line) => Pirqs.OnInterrupt((byte)_board.Line(line));

    private long SetupGsi(uint line, bool isLevel)
    {
        _domain.Store(0, line | (isLevel ? (1UL << 32) | (1UL << 40) : 0));
        return _domain.Call(HypercallNumber.PhysdevOp, 21, _domain.Arguments);
    }

    private long PirqCall(ulong operation, uint pirq)
    {
        _domain.Store(0, pirq);
        return _domain.Call(HypercallNumber.PhysdevOp, operation, _domain.Arguments);
    }

    private uint Status(uint pirq)
    {
        Assert.Equal(0, PirqCall(5, pirq));
        return _domain.Load32(4);
    }

    private long Unmap(uint pirq)
    {
        _domain.Store(0, DomainIds.Self | ((ulong)pirq << 32));
        return _domain.Call(HypercallNumber.PhysdevOp, 14, _domain.Arguments);
    }

    private int MapLine(int line)
    {
        StoreMap(DomainIds.Self, 1, line, line, 0, 0, 0);
        Assert.Equal(0, _domain.Call(HypercallNumber.PhysdevOp, 13, _domain.Arguments));
        return (int)_domain.Load32(12);
    }

    private long MapMessage(int type, byte function, int entry, ulong table, out int pirq, int wanted = -1)
    {
        StoreMap(DomainIds.Self, type, -1, wanted, function, entry, table);
        long result = _domain.Call(HypercallNumber.PhysdevOp, 13, _domain.Arguments);
        pirq = (int)_domain.Load32(12);
        return result;
    }

    private long MapFor(ushort domain)
    {
        StoreMap(domain, 1, 5, 5, 0, 0, 0);
        return _domain.Call(HypercallNumber.PhysdevOp, 13, _domain.Arguments);
    }

    private void StoreMap(ushort domain, int type, int index, int pirq, byte function, int entry, ulong table)
    {
        _domain.Store32(0, domain);
        _domain.Store32(4, (uint)type);
        _domain.Store32(8, (uint)index);
        _domain.Store32(12, (uint)pirq);
        _domain.Store32(16, 0);
        _domain.Store32(20, function);
        _domain.Store32(24, (uint)entry);
        _domain.Store(32, table);
    }

    private long BindPirq(uint pirq, out uint port)
    {
        _domain.Store32(0, pirq);
        _domain.Store32(4, 1);
        long result = _domain.Call(HypercallNumber.EventChannelOp, 2, _domain.Arguments);
        port = _domain.Load32(8);
        return result;
    }
}
