// What is kept of a console.
using System.Text;
using Xenod.Consoles;

namespace Xenolith.Toolstack.Tests.Consoles;

public sealed class ConsoleLogTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("console-log").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void EveryByteFromTheFirstIsKeptUpToTheLimit()
    {
        using ConsoleLog log = ConsoleLog.Open(_directory, 400);
        byte[] all = new byte[1000];
        new Random(1).NextBytes(all);
        for (int at = 0; at < all.Length; at += 37)
        {
            log.Append(all.AsSpan(at, Math.Min(37, all.Length - at)));
        }

        Assert.Equal(1000, log.End);
        Assert.InRange(log.End - log.Start, 300, 400);
        Assert.Equal(all[(int)log.Start..], ReadAll(log, 0));
        Assert.InRange(Directory.GetFiles(_directory).Sum(path => new FileInfo(path).Length), 300, 400);
    }

    [Fact]
    public void TheNextDaemonGoesOnBehindWhatIsKept()
    {
        using (ConsoleLog log = ConsoleLog.Open(_directory, 400))
        {
            log.Append(Encoding.ASCII.GetBytes(new string('a', 250)));
        }

        using ConsoleLog next = ConsoleLog.Open(_directory, 400);
        Assert.Equal((0L, 250L), (next.Start, next.End));
        next.Append("b"u8);
        Assert.Equal(new string('a', 250) + "b", Encoding.ASCII.GetString(ReadAll(next, 0)));
    }

    [Fact]
    public async Task ReadersWaitForWhatComes()
    {
        using ConsoleLog log = ConsoleLog.Open(_directory);
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Task waiting = log.WaitAsync(0, cancellation);
        Assert.False(waiting.IsCompleted);
        log.Append("x"u8);
        await waiting;
        Assert.True(log.WaitAsync(0, cancellation).IsCompleted);
        Assert.False(log.WaitAsync(1, cancellation).IsCompleted);
    }

    [Fact]
    public void AReaderThatFellBehindGoesOnAtTheOldestByte()
    {
        using ConsoleLog log = ConsoleLog.Open(_directory, 40);
        log.Append(Encoding.ASCII.GetBytes(new string('a', 100)));
        long position = 5;
        byte[] buffer = new byte[8];
        Assert.Equal(8, log.Read(ref position, buffer));
        Assert.Equal(log.Start + 8, position);
    }

    [Fact]
    public void OtherFilesInTheDirectoryAreLeftAlone()
    {
        File.WriteAllText(Path.Combine(_directory, "note.log"), "mine");
        using ConsoleLog log = ConsoleLog.Open(_directory, 40);
        log.Append(new byte[200]);
        Assert.True(File.Exists(Path.Combine(_directory, "note.log")));
    }

    /// <summary>Logs of domains that are no more hold no files, whether they are read or not.</summary>
    [Fact]
    public void ALogThatRestsHasNoFileOpenAndGoesOnWhenThereIsMore()
    {
        using ConsoleLog log = ConsoleLog.Open(_directory, 40);
        log.Append("0123456789abcdefgh"u8);
        Assert.Equal(1, OpenFiles());
        log.Rest();
        Assert.Equal("0123456789abcdefgh"u8.ToArray(), ReadAll(log, 0));
        Assert.Equal(0, OpenFiles());
        log.Append("ijklmnopqrst"u8);
        Assert.Equal("0123456789abcdefghijklmnopqrst"u8.ToArray(), ReadAll(log, 0));
        Assert.Equal(1, OpenFiles());

        int OpenFiles() => Directory.GetFiles("/proc/self/fd").Count(file => new FileInfo(file).LinkTarget?.StartsWith(_directory, StringComparison.Ordinal) == true);
    }

    private static byte[] ReadAll(ConsoleLog log, long position)
    {
        List<byte> all = [];
        byte[] buffer = new byte[33];
        for (int count = log.Read(ref position, buffer); count > 0; count = log.Read(ref position, buffer))
        {
            all.AddRange(buffer.AsSpan(0, count));
        }

        return [.. all];
    }
}
