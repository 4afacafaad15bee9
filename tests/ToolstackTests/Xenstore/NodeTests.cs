// Operations on nodes: what each answers to whom.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class NodeTests
{
    private readonly TestStore _store = new();

    // One line a request: who ("0" the socket, else a domain), operation, payload, answer. Domains 5 and 6 are there.
    [Theory]
    [InlineData("the root is there and lists what a server has from the start", "0 Directory /| = tool", "0 Read /| = ", "0 Directory /tool| = xenstored")]
    [InlineData("writing creates the way", "0 Write /a/b/c|x = OK", "0 Read /a/b/c| = x", "0 Read /a/b| = ", "0 Directory /a| = b")]
    [InlineData("a value is any bytes and may be empty", "0 Write /a|x|y = OK", "0 Read /a| = x|y", "0 Write /a| = OK", "0 Read /a| = ")]
    [InlineData("names come in order", "0 Write /d/b|1 = OK", "0 Write /d/a|2 = OK", "0 Write /d/B|3 = OK", "0 Directory /d| = B|a|b")]
    [InlineData("relative paths start at the caller's own directory", "5 Write x/y|1 = OK", "0 Read /local/domain/5/x/y| = 1", "0 Write z|2 = OK", "0 Read /local/domain/0/z| = 2")]
    [InlineData("making a directory twice is no mistake", "0 MakeDirectory /a/b| = OK", "0 Write /a/b|1 = OK", "0 MakeDirectory /a/b| = OK", "0 Read /a/b| = 1")]
    [InlineData("removing takes all below", "0 Write /a/b/c|1 = OK", "0 Remove /a/b| = OK", "0 Read /a/b/c| = ENOENT", "0 Directory /a| = ")]
    [InlineData("removing what is not there", "0 MakeDirectory /a| = OK", "0 Remove /a/b| = OK", "0 Remove /a/b/c| = ENOENT", "0 Remove /| = EINVAL")]
    [InlineData("malformed names", "0 Read a/| = EINVAL", "0 Read /a//b| = EINVAL", "0 Read /a = EINVAL", "0 Read || = EINVAL", "0 Read @releaseDomain| = EINVAL", "0 Write /a.b|1 = EINVAL")]
    [InlineData("a guest creates only where it may write", "5 Write /a|1 = EACCES", "5 MakeDirectory /a| = EACCES", "5 Write a|1 = OK", "5 Remove a| = OK")]
    [InlineData("whoever creates owns; the rest is inherited", "0 Write /s|1 = OK", "0 SetPermissions /s|r0|w5|b6| = OK", "5 Write /s/x|1 = OK", "0 GetPermissions /s/x| = r5|w5|b6",
        "0 Write /s/y|1 = OK", "0 GetPermissions /s/y| = r0|w5|b6")]
    [InlineData("reading needs the right to read", "0 Write /p|1 = OK", "5 Read /p| = EACCES", "0 SetPermissions /p|n0|r5| = OK", "5 Read /p| = 1", "6 Read /p| = EACCES", "5 Write /p|2 = EACCES")]
    [InlineData("the first entry says what all others may", "0 Write /p|1 = OK", "0 SetPermissions /p|b0|n6| = OK", "5 Write /p|2 = OK", "6 Read /p| = EACCES", "6 Write /p|3 = EACCES")]
    [InlineData("who may only write may not read", "0 Write /p|1 = OK", "0 SetPermissions /p|w0| = OK", "5 Write /p|2 = OK", "5 Read /p| = EACCES", "5 Directory /p| = EACCES", "5 GetPermissions /p| = EACCES")]
    [InlineData("absence is for those to know who can read above", "0 MakeDirectory /p| = OK", "5 Read /p/x| = EACCES", "0 SetPermissions /p|r0| = OK", "5 Read /p/x| = ENOENT", "5 Read /p/x/y| = ENOENT",
        "5 Remove /p/x| = EACCES")]
    [InlineData("only the owner sets permissions, and keeps the node", "0 Write /p|1 = OK", "0 SetPermissions /p|b0| = OK", "5 SetPermissions /p|b0| = EACCES", "5 Write x|1 = OK", "5 SetPermissions x|n5|r6| = OK",
        "6 Read /local/domain/5/x| = 1", "5 SetPermissions x|n6| = EACCES", "0 SetPermissions /local/domain/5/x|n6| = OK", "5 Read x| = EACCES", "6 Write /local/domain/5/x|2 = OK")]
    [InlineData("permissions have to be such", "0 Write /p|1 = OK", "0 SetPermissions /p| = EINVAL", "0 SetPermissions /p|x1| = EINVAL", "0 SetPermissions /p|n0 = EINVAL", "0 SetPermissions /q|n0| = ENOENT")]
    [InlineData("directories by parts", "0 Write /d/aa|1 = OK", "0 Write /d/b|1 = OK", "0 DirectoryPart /d|0| = 4|aa|b|", "0 DirectoryPart /d|3| = 4|b|", "0 DirectoryPart /d|5| = 4|", "0 DirectoryPart /d|99| = 4|",
        "0 DirectoryPart /d|-1| = EINVAL", "0 DirectoryPart /d| = EINVAL", "0 Write /d/aa|2 = OK", "0 DirectoryPart /d|5| = 4|", "0 Remove /d/b| = OK", "0 DirectoryPart /d|0| = 6|aa|")]
    [InlineData("a domain's path, whoever asks", "5 GetDomainPath 7| = /local/domain/7", "0 GetDomainPath 0| = /local/domain/0", "5 GetDomainPath x| = EINVAL", "5 GetDomainPath  = EINVAL")]
    [InlineData("what is for Domain 0 alone", "5 Introduce 7|1|1| = EACCES", "5 Release 6| = EACCES", "5 Resume 6| = EACCES", "5 SetTarget 5|6| = EACCES", "5 IsDomainIntroduced 5| = EACCES", "5 Control check| = EACCES")]
    [InlineData("nobody answers what is no request", "0 WatchEvent x|y| = ENOSYS", "0 Error EIO| = ENOSYS", "5 20 | = ENOSYS", "0 23 | = ENOSYS", "0 65535 | = ENOSYS")]
    [InlineData("the server about itself", "0 Control check| = OK", "0 Control nothing| = EINVAL", "0 Control help = EINVAL", "0 Control log| = off", "0 Control log|on| = OK", "0 Control log| = on",
        "0 Control quota|5| = nodes 1\nbytes 73\nwatches 0\ntransactions 0\n")]
    [InlineData("who is told about domains is Domain 0's to say", "0 GetPermissions @releaseDomain| = n0", "5 GetPermissions @releaseDomain| = EACCES", "5 SetPermissions @releaseDomain|b0| = EACCES",
        "0 SetPermissions @releaseDomain|n0|r5| = OK", "5 GetPermissions @releaseDomain| = n0|r5", "0 SetPermissions @nothing|n0| = EINVAL")]
    public void Requests(string what, params string[] lines)
    {
        Connection five = _store.Introduce(5);
        Connection six = _store.Introduce(6);
        if (what.StartsWith("the root", StringComparison.Ordinal) || what.StartsWith("directories by parts", StringComparison.Ordinal))
        {
            // These look at names and versions that domains add to.
            TestStore fresh = new();
            Run(fresh, what, lines, fresh.Domain0, fresh.Domain0);
            return;
        }
        Run(_store, what, lines, five, six);
    }

    [Fact]
    public void TooManyNamesForOneReplyAreE2Big()
    {
        for (int i = 0; i < 600; i++)
        {
            Assert.Equal("OK", _store.Ask(_store.Domain0, MakeDirectory, $"/d/name{i:d4}|"));
        }
        Assert.Equal("E2BIG", _store.Ask(_store.Domain0, XenstoreOperation.Directory, "/d|"));
        List<string> names = [];
        int offset = 0;
        while (true)
        {
            string[] part = _store.Ask(_store.Domain0, DirectoryPart, $"/d|{offset}|").Split('|');
            bool last = part[^1].Length == 0;
            names.AddRange(part[1..(last ? ^1 : ^0)]);
            offset = names.Sum(name => name.Length + 1);
            if (last)
            {
                break;
            }
        }
        Assert.Equal(Enumerable.Range(0, 600).Select(i => $"name{i:d4}"), names);
    }

    [Fact]
    public void TheDeepestPathIsLikeAnyOther()
    {
        string path = string.Concat(Enumerable.Repeat("/a", XenstorePath.MaximumAbsolute / 2));
        Assert.Equal("OK", _store.Ask(_store.Domain0, Write, $"{path}|1"));
        Assert.Equal("EINVAL", _store.Ask(_store.Domain0, Write, $"{path}/a|1"));
        Assert.Equal("1", _store.Ask(_store.Domain0, Read, $"{path}|"));
        Assert.Equal("OK", _store.Ask(_store.Domain0, SetPermissions, $"{path}|n7|"));
        byte[] state = TestStore.State(_store.Machine);
        StoreMachine copy = new(Xenod.Xenstore.StoreLimits.Default, _store);
        Xenod.Xenstore.Journal.RecordReader reader = new(state);
        copy.Load(ref reader);
        Assert.Equal("1"u8.ToArray(), copy.Tree.Find(path)!.Value);
        Assert.Equal("OK", _store.Ask(_store.Domain0, XenstoreOperation.Watch, $"{path}|t|"));
        _store.Events(_store.Domain0);
        Assert.Equal("OK", _store.Ask(_store.Domain0, Remove, "/a|"));
        Assert.Equal([$"{path}|t"], _store.Events(_store.Domain0));
        Assert.Equal("OK", _store.Ask(_store.Domain0, Control, "check|"));
    }

    [Fact]
    public void ARefusedOwnerIsCalledByTheNameThatTheClientKnows()
    {
        Connection five = _store.Introduce(5);
        _store.Ask(five, Write, "x|1");
        Assert.Equal("EACCES", _store.Ask(five, SetPermissions, "x|n0|"));
    }

    private static void Run(TestStore store, string what, string[] lines, Connection five, Connection six)
    {
        foreach (string line in lines)
        {
            string[] sides = line.Split(" = ", 2);
            string[] words = sides[0].Split(' ', 3);
            Connection who = words[0] switch { "0" => store.Domain0, "5" => five, _ => six };
            XenstoreOperation operation = Enum.Parse<XenstoreOperation>(words[1]);
            Assert.Equal((what, line), (what, $"{sides[0]} = {store.Ask(who, operation, words[2])}"));
        }
    }
}
