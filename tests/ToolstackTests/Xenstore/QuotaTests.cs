// What one guest may use.

using Xenod.Xenstore;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class QuotaTests
{
    private readonly TestStore _store = new();
    private readonly Connection _guest;

    public QuotaTests() => _guest = _store.Introduce(5);

    [Fact]
    public void Nodes()
    {
        int created = 0;
        while (Ask(Write, $"n/{created}|1") is var answer && answer == "OK")
        {
            created++;
        }
        // Its directory and the one for the numbers count too.
        Assert.Equal(StoreLimits.Default.Nodes - 2, created);
        Assert.Equal("ENOSPC", Ask(MakeDirectory, "more|"));
        Assert.Equal("OK", Ask(Write, "n/0|2"));
        Assert.Equal("OK", Ask(Remove, "n/0|"));
        Assert.Equal("OK", Ask(MakeDirectory, "more|"));
        Assert.Equal("ENOSPC", Ask(MakeDirectory, "still/more|"));
        Assert.Equal("ENOENT", Ask(Read, "still|"));
        Assert.Equal("OK", _store.Ask(_store.Domain0, Write, "/local/domain/5/n/x|1"));
        Assert.Equal("OK", _store.Ask(_store.Domain0, Control, "check|"));
    }

    [Fact]
    public void NodesOfATransactionCount()
    {
        for (int i = 0; i < 900; i++)
        {
            Ask(Write, $"n/{i}|1");
        }
        uint first = _store.Start(_guest);
        uint second = _store.Start(_guest);
        for (int i = 0; i < 60; i++)
        {
            Assert.Equal("OK", Ask(Write, $"a/{i}|1", first));
            Assert.Equal("OK", Ask(Write, $"b/{i}|1", second));
        }
        Assert.Equal("OK", Ask(TransactionEnd, "T|", first));
        Assert.Equal("ENOSPC", Ask(TransactionEnd, "T|", second));
        Assert.Equal("ENOENT", Ask(Read, "b|"));
        Assert.Equal("ENOENT", Ask(Read, "n|", second));
    }

    [Fact]
    public void Values()
    {
        Assert.Equal("OK", Ask(Write, "x|" + new string('v', 2048)));
        Assert.Equal("ENOSPC", Ask(Write, "x|" + new string('v', 2049)));
        Assert.Equal(2048, Ask(Read, "x|").Length);
    }

    [Fact]
    public void Watches()
    {
        for (int i = 0; i < 128; i++)
        {
            Assert.Equal("OK", Ask(XenstoreOperation.Watch, $"x|{i}|"));
        }
        Assert.Equal("E2BIG", Ask(XenstoreOperation.Watch, "x|more|"));
        Assert.Equal("OK", Ask(Unwatch, "x|0|"));
        Assert.Equal("OK", Ask(XenstoreOperation.Watch, "x|more|"));
    }

    [Fact]
    public void Transactions()
    {
        uint last = 0;
        for (int i = 0; i < 10; i++)
        {
            last = _store.Start(_guest);
        }
        Assert.Equal("ENOSPC", Ask(TransactionStart, "|"));
        Assert.Equal("OK", Ask(TransactionEnd, "F|", last));
        _store.Start(_guest);
    }

    [Fact]
    public void Permissions()
    {
        Ask(Write, "x|1");
        Assert.Equal("OK", Ask(SetPermissions, "x|n5|r1|r2|r3|r4|"));
        Assert.Equal("ENOSPC", Ask(SetPermissions, "x|n5|r1|r2|r3|r4|r6|"));
    }

    [Fact]
    public void NodesThatATransactionTouches()
    {
        uint transaction = _store.Start(_guest);
        for (int i = 0; i < 5000; i++)
        {
            string answer = Ask(Read, $"x{i}|", transaction);
            Assert.Equal(i < 1000 ? "ENOENT" : answer, answer);
            Assert.InRange(_guest.Transactions[transaction].Uses.Count, 0, StoreLimits.Default.TouchedNodes + 2);
        }
        Assert.Equal("ENOSPC", Ask(Read, "other|", transaction));
        Assert.Equal("ENOENT", Ask(Read, "x1|", transaction));
        Assert.Equal("OK", Ask(TransactionEnd, "T|", transaction));
    }

    [Fact]
    public void BytesOfNodesTransactionsAndWatchesTogether()
    {
        string name = new('n', 2000);
        string value = new('v', 2000);
        for (int transaction = 0; transaction < 10; transaction++)
        {
            uint id = _store.Start(_guest);
            for (int i = 0; i < 200; i++)
            {
                Ask(Write, $"{name}{i}|{value}", id);
            }
        }
        for (int i = 0; i < 1000; i++)
        {
            Ask(Write, $"{name}{i}|{value}");
            Ask(XenstoreOperation.Watch, $"{name}|{value}{i}|");
            _store.Events(_guest);
        }
        long bytes = _store.Machine.Tree.OwnedBy(5).Bytes + _guest.HeldBytes;
        Assert.InRange(bytes, 1024 * 1024, StoreLimits.Default.Bytes + 3 * 8192);
        Assert.Equal("ENOSPC", Ask(Write, $"{name}x|{value}"));
        Assert.Equal("OK", Ask(ResetWatches, "|"));
        Assert.Equal("OK", Ask(Write, $"{name}x|{value}"));
    }

    [Fact]
    public void ATransactionThatIsLeftOpenForTooLongStartsAgain()
    {
        TestStore store = new(StoreLimits.Default with { TransactionAge = 100 });
        Connection guest = store.Introduce(5);
        uint transaction = store.Start(guest);
        Assert.Equal("OK", store.Ask(guest, Write, "x|1", transaction));
        for (int i = 0; i < 3000; i++)
        {
            store.Ask(store.Domain0, Write, $"/unrelated|{i}");
        }
        Assert.Equal("ENOENT", store.Ask(guest, Read, "x|", transaction));
        Assert.Equal("EAGAIN", store.Ask(guest, TransactionEnd, "T|", transaction));
        transaction = store.Start(guest);
        Assert.Equal("OK", store.Ask(guest, Write, "x|1", transaction));
        Assert.Equal("OK", store.Ask(guest, TransactionEnd, "T|", transaction));
    }

    [Fact]
    public void Domain0HasNone()
    {
        for (int i = 0; i < 2000; i++)
        {
            Assert.Equal("OK", _store.Ask(_store.Domain0, Write, $"/many/{i}|{new string('v', 4000)}"));
        }
        for (int i = 0; i < 200; i++)
        {
            _store.Start(_store.Domain0);
            Assert.Equal("OK", _store.Ask(_store.Domain0, XenstoreOperation.Watch, $"/many|{i}|"));
        }
    }

    private string Ask(XenstoreOperation operation, string payload, uint transaction = 0) => _store.Ask(_guest, operation, payload, transaction);
}
