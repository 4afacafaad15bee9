// Transactions: what they see, when they conflict.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class TransactionTests
{
    private readonly TestStore _store = new();
    private readonly Connection _other;

    public TransactionTests()
    {
        _other = _store.Machine.ConnectSocket();
        foreach (string payload in (string[])["/d/a|1", "/d/b|1", "/d/sub/x|1"])
        {
            _store.Ask(_other, Write, payload);
        }
    }

    // In a transaction the first request, then outside of it the second one; whether the commit fails.
    [Theory]
    [InlineData(Read, "/d/a|", Write, "/d/a|1", true)]
    [InlineData(Read, "/d/a|", Write, "/d/b|1", false)]
    [InlineData(Read, "/d/a|", Write, "/d/a/new|1", false)]
    [InlineData(Read, "/d/a|", Remove, "/d/b|", false)]
    [InlineData(Read, "/d/a|", Remove, "/d|", true)]
    [InlineData(Read, "/d/none|", Write, "/d/none|1", true)]
    [InlineData(Read, "/d/none|", Write, "/d/other|1", false)]
    [InlineData(Write, "/d/a|2", Write, "/d/a|1", true)]
    [InlineData(Write, "/d/a|2", Write, "/d/b|1", false)]
    [InlineData(Write, "/d/new|2", Write, "/d/other|1", false)]
    [InlineData(Write, "/d/new|2", Write, "/d/new|1", true)]
    [InlineData(Write, "/d/new/x|2", MakeDirectory, "/d/new|", true)]
    [InlineData(Write, "/d/new|2", SetPermissions, "/d|r0|", true)]
    [InlineData(Write, "/d/new|2", Write, "/d|1", false)]
    [InlineData(XenstoreOperation.Directory, "/d|", Write, "/d/new|1", true)]
    [InlineData(XenstoreOperation.Directory, "/d|", Remove, "/d/a|", true)]
    [InlineData(XenstoreOperation.Directory, "/d|", Write, "/d/a|1", false)]
    [InlineData(XenstoreOperation.Directory, "/d|", Write, "/d/sub/new|1", false)]
    [InlineData(Remove, "/d/sub|", Write, "/d/sub/x|2", true)]
    [InlineData(Remove, "/d/sub|", Write, "/d/sub/new|2", true)]
    [InlineData(Remove, "/d/sub|", Write, "/d/a|2", false)]
    [InlineData(Remove, "/d/none|", Write, "/d/none|2", true)]
    [InlineData(GetPermissions, "/d/a|", SetPermissions, "/d/a|r0|", true)]
    [InlineData(GetPermissions, "/d/a|", Write, "/d/a|2", false)]
    [InlineData(SetPermissions, "/d/a|r0|", SetPermissions, "/d/a|w0|", true)]
    [InlineData(MakeDirectory, "/d/a|", Write, "/d/a|2", false)]
    [InlineData(MakeDirectory, "/d/a|", Remove, "/d/a|", true)]
    public void OnlyWhatWasUsedConflicts(XenstoreOperation inside, string insidePayload, XenstoreOperation outside, string outsidePayload, bool conflicts)
    {
        uint transaction = _store.Start(_store.Domain0);
        _store.Ask(_store.Domain0, inside, insidePayload, transaction);
        Assert.Equal("OK", _store.Ask(_other, outside, outsidePayload));
        Assert.Equal(conflicts ? "EAGAIN" : "OK", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
    }

    [Fact]
    public void OwnChangesAreNoConflict()
    {
        uint transaction = _store.Start(_store.Domain0);
        foreach ((XenstoreOperation operation, string payload) in ((XenstoreOperation, string)[])
            [(Write, "/n/x|1"), (Read, "/n/x|"), (Remove, "/n|"), (MakeDirectory, "/n/y|"), (XenstoreOperation.Directory, "/n|"), (Remove, "/d|"), (Write, "/d/a|3"), (SetPermissions, "/d/a|r0|")])
        {
            _store.Ask(_store.Domain0, operation, payload, transaction);
        }
        Assert.Equal("ENOENT", _store.Ask(_other, Read, "/n/y|"));
        Assert.Equal("OK", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
        Assert.Equal("y", _store.Ask(_other, XenstoreOperation.Directory, "/n|"));
        Assert.Equal("a", _store.Ask(_other, XenstoreOperation.Directory, "/d|"));
        Assert.Equal("r0", _store.Ask(_other, GetPermissions, "/d/a|"));
    }

    [Fact]
    public void ATransactionSeesTheTreeOfItsStart()
    {
        uint transaction = _store.Start(_store.Domain0);
        _store.Ask(_other, Write, "/d/a|2");
        _store.Ask(_other, Remove, "/d/b|");
        Assert.Equal("1", _store.Ask(_store.Domain0, Read, "/d/a|", transaction));
        Assert.Equal("a|b|sub", _store.Ask(_store.Domain0, XenstoreOperation.Directory, "/d|", transaction));
        Assert.Equal("2", _store.Ask(_store.Domain0, Read, "/d/a|"));
    }

    [Fact]
    public void NumbersOfTransactionsAreTheConnectionsOwn()
    {
        uint transaction = _store.Start(_store.Domain0);
        Assert.Equal("ENOENT", _store.Ask(_other, Read, "/d/a|", transaction + 1));
        Assert.Equal("ENOENT", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction + 1));
        Assert.Equal("ENOENT", _store.Ask(_store.Domain0, TransactionEnd, "T|"));
        Assert.Equal("EBUSY", _store.Ask(_store.Domain0, TransactionStart, "|", transaction));
        Assert.Equal("EINVAL", _store.Ask(_store.Domain0, TransactionEnd, "X|", transaction));
        Assert.Equal("EINVAL", _store.Ask(_store.Domain0, TransactionEnd, "T", transaction));
        Assert.Equal("OK", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
        Assert.Equal("ENOENT", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
    }

    [Fact]
    public void WatchesBelongToNoTransaction()
    {
        Assert.Equal("OK", _store.Ask(_store.Domain0, XenstoreOperation.Watch, "/d|t|", 99));
        Assert.Equal("OK", _store.Ask(_store.Domain0, Unwatch, "/d|t|", 99));
    }

    [Fact]
    public void ATransactionThatChangesNothingCommitsAlthoughOthersChangeOtherNodes()
    {
        uint transaction = _store.Start(_store.Domain0);
        Assert.Equal("1", _store.Ask(_store.Domain0, Read, "/d/a|", transaction));
        for (int i = 0; i < 100; i++)
        {
            _store.Ask(_other, Write, $"/other/{i}|1");
        }
        Assert.Equal("OK", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
    }
}
