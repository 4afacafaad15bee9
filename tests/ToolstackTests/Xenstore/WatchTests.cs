// Watches: who is told what, and when.

using Xenod.Xenstore;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class WatchTests
{
    private readonly TestStore _store = new();
    private readonly Connection _other;

    public WatchTests() => _other = _store.Machine.ConnectSocket();

    [Fact]
    public void AWatchFiresAtOnceAfterItsReply()
    {
        _store.Send(_store.Domain0, XenstoreHeader.Format(XenstoreOperation.Watch, 7, 0, "/nothing\0token\0"u8));
        Assert.Equal(
            [new(XenstoreOperation.Watch, 7, 0, "OK|"), new(WatchEvent, 0, 0, "/nothing|token|")],
            _store.Drain(_store.Domain0));
    }

    [Theory]
    [InlineData(Write, "/w|1", "/w")]
    [InlineData(Write, "/w/a/b|1", "/w/a/b")]
    [InlineData(Write, "/w/old|same", "/w/old")]
    [InlineData(MakeDirectory, "/w/new|", "/w/new")]
    [InlineData(MakeDirectory, "/w/old|", null)]
    [InlineData(SetPermissions, "/w/old|n0|", "/w/old")]
    [InlineData(Remove, "/w/old|", "/w/old")]
    [InlineData(Remove, "/w/absent|", null)]
    [InlineData(Write, "/wide|1", null)]
    [InlineData(Write, "/v|1", null)]
    public void AWatchTellsOfItsNodeAndAllBelow(XenstoreOperation operation, string payload, string? told)
    {
        Ask(Write, "/w/old|same");
        AskOther(XenstoreOperation.Watch, "/w|t|");
        _store.Events(_other);
        Ask(operation, payload);
        Assert.Equal(told is null ? [] : [told + "|t"], _store.Events(_other));
    }

    [Fact]
    public void RemovingTellsTheWatchesOfWhatWasBelow()
    {
        Ask(Write, "/w/a/b|1");
        AskOther(XenstoreOperation.Watch, "/w/a/b|below|");
        AskOther(XenstoreOperation.Watch, "/w/a/absent|nothing there|");
        AskOther(XenstoreOperation.Watch, "/|all|");
        _store.Events(_other);
        Ask(Remove, "/w|");
        Assert.Equal(["/w|all", "/w/a/b|below"], _store.Events(_other));
    }

    [Fact]
    public void RelativeWatchesAreToldRelativePaths()
    {
        Connection five = _store.Introduce(5);
        Assert.Equal("OK", _store.Ask(five, XenstoreOperation.Watch, "device|t|"));
        Assert.Equal(["device|t"], _store.Events(five));
        Assert.Equal("OK", _store.Ask(five, Write, "device/vif/0|1"));
        Assert.Equal(["device/vif/0|t"], _store.Events(five));
    }

    [Fact]
    public void EqualEventsThatWaitAreOne()
    {
        AskOther(XenstoreOperation.Watch, "/w|t|");
        _store.Events(_other);
        Ask(Write, "/w|1");
        Ask(Write, "/w/x|1");
        Ask(Write, "/w|2");
        Assert.Equal(["/w|t", "/w/x|t"], _store.Events(_other));
        Ask(Write, "/w|3");
        Assert.Equal(["/w|t"], _store.Events(_other));
    }

    [Fact]
    public void AnEventThatIsBeingReadStandsForNoLaterOne()
    {
        AskOther(XenstoreOperation.Watch, "/w|t|");
        _store.Events(_other);
        Ask(Write, "/w|1");
        _store.Machine.Sent(_other, 1);
        Ask(Write, "/w|2");
        Assert.Equal(2 * (XenstoreHeader.Size + 5) - 1, _other.QueuedBytes);
    }

    [Fact]
    public void WatchesAreKnownByPathAndToken()
    {
        Assert.Equal("OK", AskOther(XenstoreOperation.Watch, "/w|1|"));
        Assert.Equal("EEXIST", AskOther(XenstoreOperation.Watch, "/w|1|"));
        Assert.Equal("OK", AskOther(XenstoreOperation.Watch, "/w|2|"));
        Assert.Equal("ENOENT", AskOther(Unwatch, "/w|3|"));
        Assert.Equal("OK", AskOther(Unwatch, "/w|1|"));
        Assert.Equal("ENOENT", AskOther(Unwatch, "/w|1|"));
        _store.Events(_other);
        Ask(Write, "/w|1");
        Assert.Equal(["/w|2"], _store.Events(_other));
    }

    [Theory]
    [InlineData("/w|t")]
    [InlineData("/w|")]
    [InlineData("/w")]
    [InlineData("/w|t|more|")]
    [InlineData("/w/|t|")]
    [InlineData("|t|")]
    public void MalformedWatchesAreRefused(string payload)
    {
        Assert.Equal("EINVAL", Ask(XenstoreOperation.Watch, payload));
        Assert.Equal("EINVAL", Ask(Unwatch, payload));
    }

    [Fact]
    public void ResettingDropsWatchesAndTransactions()
    {
        Connection five = _store.Introduce(5);
        _store.Ask(five, XenstoreOperation.Watch, "x|t|");
        uint transaction = _store.Start(five);
        Assert.Equal("OK", _store.Ask(five, ResetWatches, "|"));
        _store.Events(five);
        Assert.Equal("OK", _store.Ask(five, Write, "x|1"));
        Assert.Empty(_store.Events(five));
        Assert.Equal("ENOENT", _store.Ask(five, Read, "x|", transaction));
        Assert.Equal("OK", _store.Ask(five, XenstoreOperation.Watch, "x|t|"));
    }

    [Fact]
    public void GuestsHearOnlyOfWhatTheyCanRead()
    {
        Connection five = _store.Introduce(5);
        _store.Ask(five, XenstoreOperation.Watch, "/s|t|");
        _store.Events(five);
        Ask(Write, "/s/hidden|1");
        Assert.Empty(_store.Events(five));
        Ask(SetPermissions, "/s/hidden|n0|r5|");
        Assert.Equal(["/s/hidden|t"], _store.Events(five));
        Ask(Write, "/s/hidden|2");
        Assert.Equal(["/s/hidden|t"], _store.Events(five));
        Ask(SetPermissions, "/s/hidden|n0|");
        Assert.Equal(["/s/hidden|t"], _store.Events(five));
        Ask(Remove, "/s/hidden|");
        Assert.Empty(_store.Events(five));
    }

    [Fact]
    public void GuestsHearOfNamesThatTheyCanList()
    {
        Connection five = _store.Introduce(5);
        Ask(MakeDirectory, "/s|");
        Ask(SetPermissions, "/s|r0|");
        _store.Ask(five, XenstoreOperation.Watch, "/s|t|");
        _store.Events(five);
        Ask(Write, "/s/x|1");
        Ask(SetPermissions, "/s/x|n0|");
        Assert.Equal(["/s/x|t"], _store.Events(five));
        Ask(Remove, "/s/x|");
        Assert.Equal(["/s/x|t"], _store.Events(five));
    }

    [Fact]
    public void ACommitTellsOfEachNodeOnce()
    {
        AskOther(XenstoreOperation.Watch, "/w|t|");
        _store.Events(_other);
        uint transaction = _store.Start(_store.Domain0);
        foreach (string payload in (string[])["/w/a|1", "/w/b|1", "/w/a|2"])
        {
            Assert.Equal("OK", _store.Ask(_store.Domain0, Write, payload, transaction));
        }
        Assert.Empty(_store.Events(_other));
        Assert.Equal("OK", _store.Ask(_store.Domain0, TransactionEnd, "T|", transaction));
        Assert.Equal(["/w/b|t", "/w/a|t"], _store.Events(_other));
    }

    [Fact]
    public void ADroppedTransactionTellsNothing()
    {
        AskOther(XenstoreOperation.Watch, "/w|t|");
        _store.Events(_other);
        uint transaction = _store.Start(_store.Domain0);
        _store.Ask(_store.Domain0, Write, "/w/a|1", transaction);
        Assert.Equal("OK", _store.Ask(_store.Domain0, TransactionEnd, "F|", transaction));
        Assert.Empty(_store.Events(_other));
        Assert.Equal("ENOENT", Ask(Read, "/w/a|"));
    }

    [Fact]
    public void AClientThatDoesNotReadCostsBoundedMemoryAndMissesNothingForGood()
    {
        TestStore store = new(StoreLimits.Default with { QueuedEventBytes = 1000 });
        Connection five = store.Introduce(5);
        store.Ask(five, XenstoreOperation.Watch, "a|t|");
        store.Ask(five, XenstoreOperation.Watch, "b|t|");
        store.Events(five);
        for (int i = 0; i < 500; i++)
        {
            Assert.Equal("OK", store.Ask(store.Domain0, Write, $"/local/domain/5/a/{i}|1"));
            Assert.InRange(five.QueuedBytes, 0, 1000 + XenstoreHeader.Size);
        }
        Assert.True(five.EventsLost);
        List<string> events = store.Events(five);
        Assert.Equal(["a|t", "b|t"], events[^2..]);
        Assert.False(five.EventsLost);
        Assert.Empty(store.Events(five));
    }

    private string Ask(XenstoreOperation operation, string payload) => _store.Ask(_store.Domain0, operation, payload);

    private string AskOther(XenstoreOperation operation, string payload) => _store.Ask(_other, operation, payload);
}
