// grant_table_op: the table as a whole, and arrays and operations that cannot be right.
using Xenolith.Abi;
using Xenolith.Hypervisor.Grants;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Hypercalls;

public sealed class GrantTableSetupTests
{
    private const int ListOffset = 1024;

    private readonly TestDomain _mapper;
    private readonly TestDomain _granter;

    public GrantTableSetupTests()
    {
        _mapper = TestDomain.Create();
        _granter = TestDomain.CreateOther(1);
        Assert.True(GrantTable.TryGrow(ref _granter.Domain, 1));
        Assert.True(GrantTable.TryGrow(ref _mapper.Domain, 1));
        _mapper.Enter(0);
    }

    [Fact]
    public void TheTableGrowsToItsLimitAndItsFramesAreTheDomains()
    {
        Assert.Equal(0, SetupTable(4, TestDomain.Self));
        for (int i = 0; i < 4; i++)
        {
            Mfn frame = new(_mapper.Load(ListOffset + (i * 8)));
            Assert.Equal(_mapper.Domain.Grants.FrameAt(i).Value, frame.Value);
            Assert.Equal(_mapper.Id, TestDomain.Frame(frame).Owner);

            // Mappable like any page of its own, but never a table, and not to be given back.
            Assert.Equal(0, _mapper.SetWindow(i, TestDomain.Entry(frame, TestDomain.ReadWrite)));
            Assert.Equal(-(long)XenError.Invalid, _mapper.Pin(frame, 1));
            Assert.Equal(0, _mapper.Decrease(frame));
        }

        Assert.Equal(0, SetupTable(DomainGrants.MaximumFrames, TestDomain.Self));
        Assert.Equal((short)GrantStatus.GeneralError, SetupTable(DomainGrants.MaximumFrames + 1, TestDomain.Self));
        Assert.Equal(0, SetupTable(1, _granter.Id));
        Assert.Equal((short)GrantStatus.BadDomain, SetupTable(1, 55));
        _mapper.Store(0, _granter.Id);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 6, _mapper.Arguments, 1));
        Assert.Equal(1u, _mapper.Load32(4));
        Assert.Equal((uint)DomainGrants.MaximumFrames, _mapper.Load32(8));
        Assert.Equal(-(long)XenError.Invalid, _mapper.Call(HypercallNumber.GrantTableOp, 6, _mapper.Arguments, 2));
        _granter.Store(0, 0);
        Assert.Equal(0, _granter.Call(HypercallNumber.GrantTableOp, 6, _granter.Arguments, 1));
        Assert.Equal((short)GrantStatus.PermissionDenied, (short)_granter.Load32(12));
    }

    [Fact]
    public void Versions()
    {
        _mapper.Store32(0, 2);
        Assert.Equal(-(long)XenError.NotImplemented, _mapper.Call(HypercallNumber.GrantTableOp, 8, _mapper.Arguments, 1));
        Assert.Equal(1u, _mapper.Load32(0));
        _mapper.Store32(0, 3);
        Assert.Equal(-(long)XenError.Invalid, _mapper.Call(HypercallNumber.GrantTableOp, 8, _mapper.Arguments, 1));
        _mapper.Store32(0, 1);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 8, _mapper.Arguments, 1));
        _mapper.Store(0, _granter.Id);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 10, _mapper.Arguments, 1));
        Assert.Equal(1u, _mapper.Load32(4));
        _mapper.Store(0, 50);
        Assert.Equal(-(long)XenError.NoSuchDomain, _mapper.Call(HypercallNumber.GrantTableOp, 10, _mapper.Arguments, 1));
    }

    [Fact]
    public void BadArraysAndOperations()
    {
        Assert.Equal(-(long)XenError.Fault, _mapper.Call(HypercallNumber.GrantTableOp, 0, 0x1000_0000, 1));
        Assert.Equal(-(long)XenError.Fault, _mapper.Call(HypercallNumber.GrantTableOp, 1, GuestAddress.HypervisorStart, 1));
        Assert.Equal(-(long)XenError.Invalid, _mapper.Call(HypercallNumber.GrantTableOp, 0, _mapper.Arguments, 0x8000_0000));
        Assert.Equal(-(long)XenError.NotImplemented, _mapper.Call(HypercallNumber.GrantTableOp, 3, _mapper.Arguments, 1));
        Assert.Equal(-(long)XenError.NotImplemented, _mapper.Call(HypercallNumber.GrantTableOp, 99, _mapper.Arguments, 1));
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 0, 0x1000_0000, 0));
    }

    private short SetupTable(uint frames, ulong domain)
    {
        _mapper.Store(0, domain | ((ulong)frames << 32));
        _mapper.Store(8, 0);
        _mapper.Store(16, _mapper.Arguments + ListOffset);
        Assert.Equal(0, _mapper.Call(HypercallNumber.GrantTableOp, 2, _mapper.Arguments, 1));
        return Status(8);
    }

    private short Status(int offset) => (short)(_mapper.Load32(offset & ~3) >> ((offset & 2) * 8));
}
