// Domains come and go.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class DomainTests
{
    private readonly TestStore _store = new();
    private readonly Connection _watcher;

    public DomainTests()
    {
        _watcher = _store.Machine.ConnectSocket();
        _store.Ask(_watcher, XenstoreOperation.Watch, "@introduceDomain|in|");
        _store.Ask(_watcher, XenstoreOperation.Watch, "@releaseDomain|out|");
    }

    [Fact]
    public void SpecialWatchesFireAtOnceAndWhenDomainsComeAndGo()
    {
        Assert.Equal(["@introduceDomain|in", "@releaseDomain|out"], _store.Events(_watcher));
        _store.Introduce(5);
        Assert.Equal(["@introduceDomain|in"], _store.Events(_watcher));
        _store.Machine.DomainShutDown(5);
        Assert.Equal(["@releaseDomain|out"], _store.Events(_watcher));
        _store.Machine.DomainShutDown(5);
        Assert.Empty(_store.Events(_watcher));
        Assert.Equal("OK", Ask(Resume, "5|"));
        _store.Machine.DomainShutDown(5);
        Assert.Equal(["@releaseDomain|out"], _store.Events(_watcher));
        _store.Machine.DomainGone(5);
        Assert.Equal(["@releaseDomain|out"], _store.Events(_watcher));
        _store.Machine.DomainGone(5);
        Assert.Empty(_store.Events(_watcher));
        Assert.Empty(_store.Rings);
    }

    [Fact]
    public void SpecialEventsAreNeverMerged()
    {
        _store.Events(_watcher);
        _store.Introduce(5);
        _store.Introduce(6);
        Assert.Equal(["@introduceDomain|in", "@introduceDomain|in"], _store.Events(_watcher));
    }

    [Fact]
    public void GuestsHearOfDomainsOnlyWhenAllowed()
    {
        Connection five = _store.Introduce(5);
        Assert.Equal("OK", _store.Ask(five, XenstoreOperation.Watch, "@introduceDomain|t|"));
        Assert.Equal(["@introduceDomain|t"], _store.Events(five));
        _store.Introduce(6);
        Assert.Empty(_store.Events(five));
        Assert.Equal("OK", Ask(SetPermissions, "@introduceDomain|n0|r5|"));
        _store.Introduce(7);
        Assert.Equal(["@introduceDomain|t"], _store.Events(five));
    }

    [Theory]
    [InlineData(XenstoreOperation.Introduce, "5|1|1|", "OK")]
    [InlineData(XenstoreOperation.Introduce, "0|1|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "32752|1|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|1|0|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|1|4294967296|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|1|1", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|1|1|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "5|-1|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Introduce, "99999999999999999999|1|1|", "EINVAL")]
    [InlineData(XenstoreOperation.Release, "5|", "ENOENT")]
    [InlineData(XenstoreOperation.Release, "x|", "EINVAL")]
    [InlineData(XenstoreOperation.Resume, "5|", "ENOENT")]
    [InlineData(XenstoreOperation.SetTarget, "5|6|", "ENOENT")]
    [InlineData(XenstoreOperation.SetTarget, "5|", "EINVAL")]
    [InlineData(IsDomainIntroduced, "5|", "F")]
    [InlineData(IsDomainIntroduced, "0|", "T")]
    [InlineData(IsDomainIntroduced, "32752|", "F")]
    [InlineData(IsDomainIntroduced, "|", "EINVAL")]
    public void RequestsAboutDomainsAreChecked(XenstoreOperation operation, string payload, string answer) => Assert.Equal(answer, Ask(operation, payload));

    [Fact]
    public void ARingThatCannotBeConnectedLeavesNothing()
    {
        _store.Events(_watcher);
        _store.CanConnect = false;
        Assert.Equal("EIO", Ask(XenstoreOperation.Introduce, "5|1|1|"));
        Assert.Equal("F", Ask(IsDomainIntroduced, "5|"));
        Assert.Empty(_store.Events(_watcher));
    }

    [Fact]
    public void IntroducingAgainStartsTheConnectionAnew()
    {
        Connection five = _store.Introduce(5);
        _store.Ask(five, XenstoreOperation.Watch, "x|t|");
        _store.Start(five);
        _store.Send(five, [1, 2, 3]);
        _store.Machine.Break(five);
        _store.Events(_watcher);
        Assert.Equal("OK", Ask(XenstoreOperation.Introduce, "5|2000|9|"));
        Assert.Same(five, _store.Machine.Connections[5]);
        Assert.Equal((2000UL, 9U, false), (five.Link!.Frame, five.Link.Port, five.Broken));
        Assert.Empty(five.Watches);
        Assert.Empty(five.Transactions);
        Assert.Empty(_store.Events(_watcher));
        Assert.Equal("OK", _store.Ask(five, Write, "x|1"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithADomainGoItsNodesAndWhatOthersAllowedIt(bool released)
    {
        Connection five = _store.Introduce(5);
        _store.Introduce(6);
        _store.Ask(five, Write, "data/x|1");
        Ask(Write, "/local/domain/5/mine|1");
        Ask(Write, "/shared|1");
        Ask(SetPermissions, "/shared|n0|b5|r6|");
        Ask(Write, "/shared/theirs|1");
        Ask(SetPermissions, "/shared/theirs|b5|");
        Ask(SetPermissions, "@releaseDomain|n0|r5|");
        _store.Ask(_watcher, XenstoreOperation.Watch, "/local/domain/5/data|t|");
        _store.Events(_watcher);
        if (released)
        {
            Assert.Equal("OK", Ask(XenstoreOperation.Release, "5|"));
        }
        else
        {
            _store.Machine.DomainGone(5);
        }
        Assert.Equal(["/local/domain/5/data|t", "@releaseDomain|out"], _store.Events(_watcher));
        Assert.Equal("ENOENT", Ask(Read, "/local/domain/5|"));
        Assert.Equal("ENOENT", Ask(Read, "/shared/theirs|"));
        Assert.Equal("n0|r6", Ask(GetPermissions, "/shared|"));
        Assert.Equal("n0", Ask(GetPermissions, "@releaseDomain|"));
        Assert.Equal("OK", Ask(Control, "check|"));
        Assert.Equal("nodes 0\nbytes 0\nwatches 0\ntransactions 0\n", Ask(Control, "quota|5|"));

        Connection next = _store.Introduce(5);
        Assert.NotSame(five, next);
        Assert.Equal("EACCES", _store.Ask(next, Read, "/shared|"));
    }

    [Fact]
    public void AServingDomainHasTheRightsOfTheOneItServes()
    {
        Connection five = _store.Introduce(5);
        Connection six = _store.Introduce(6);
        _store.Ask(five, Write, "x|1");
        Assert.Equal("EACCES", _store.Ask(six, Read, "/local/domain/5/x|"));
        Assert.Equal("OK", Ask(SetTarget, "6|5|"));
        Assert.Equal("1", _store.Ask(six, Read, "/local/domain/5/x|"));
        Assert.Equal("OK", _store.Ask(six, Write, "/local/domain/5/y|1"));
        _store.Machine.DomainGone(5);
        Assert.Null(six.Target);
    }

    [Fact]
    public void Domain0sRingIsDomain0()
    {
        Connection kernel = _store.Machine.ConnectDomain0(0, 3, default);
        Assert.Equal("OK", _store.Ask(kernel, Write, "backend/vbd|1"));
        Assert.Equal("1", Ask(Read, "/local/domain/0/backend/vbd|"));
        Assert.Equal("EINVAL", Ask(XenstoreOperation.Release, "0|"));
        _store.Machine.DomainGone(0);
        Assert.Equal("1", _store.Ask(kernel, Read, "backend/vbd|"));
    }

    private string Ask(XenstoreOperation operation, string payload) => _store.Ask(_store.Domain0, operation, payload);
}
