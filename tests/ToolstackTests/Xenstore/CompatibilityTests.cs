// Debian's own tools of Xen 4.17 against the daemon as a process.

using System.Diagnostics;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

public sealed class CompatibilityTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("xenod").FullName;
    private Process _daemon;

    public CompatibilityTests() => _daemon = StartDaemon();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Socket => Path.Combine(_directory, "socket");

    public void Dispose()
    {
        _daemon.Kill();
        _daemon.WaitForExit();
        _daemon.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void ToolsReadAndWrite()
    {
        Assert.Equal("\n", Run("xenstore-read", "-s", "/"));
        Run("xenstore-write", "/a/b", "hello", "/a/c", "world");
        Assert.Equal("hello\n", Run("xenstore-read", "/a/b"));
        Assert.Equal("b\nc\n", Run("xenstore-list", "/a"));
        Run("xenstore-chmod", "/a/b", "n0", "r5");
        Assert.Equal("/a/b = \"hello\"   (n0,r5)\n/a/c = \"world\"   (n0)\n", Run("xenstore-ls", "-fp", "/a"));
        Run("xenstore-chmod", "-r", "/a", "b7");
        Assert.Equal("/a/b = \"hello\"   (b7)\n/a/c = \"world\"   (b7)\n", Run("xenstore-ls", "-fp", "/a"));
        Run("xenstore-exists", "/a/c");
        Run("xenstore-rm", "/a/c");
        Assert.Contains("error 1", Assert.Throws<InvalidOperationException>(() => Run("xenstore-exists", "/a/c")).Message, StringComparison.Ordinal);
        Assert.Contains("couldn't read", Assert.Throws<InvalidOperationException>(() => Run("xenstore-read", "/a/c")).Message, StringComparison.Ordinal);
        Run("xenstore-write", "relative", "x");
        Assert.Equal("x\n", Run("xenstore-read", "/local/domain/0/relative"));
    }

    [Fact]
    public async Task ToolsListManyNodes()
    {
        await using XenstoreClient client = await XenstoreClient.ConnectSocketAsync(Socket, Cancellation);
        await Task.WhenAll(Enumerable.Range(0, 3000).Select(i => client.WriteAsync($"/many/n{i:d4}", i, Cancellation)));
        Assert.Equal(string.Concat(Enumerable.Range(0, 3000).Select(i => $"n{i:d4}\n")), Run("xenstore-list", "/many"));
        Assert.Equal(3000, Run("xenstore-ls", "/many").Count(character => character == '\n'));
        Run("xenstore-rm", "/many");
        Assert.False(await client.ExistsAsync("/many", Cancellation));
    }

    [Fact]
    public async Task ToolsWatch()
    {
        using Process watch = Start("xenstore-watch", "-n", "3", "/w");
        Assert.Equal("/w", await watch.StandardOutput.ReadLineAsync(Cancellation));
        Run("xenstore-write", "/w/x", "1");
        Assert.Equal("/w/x", await watch.StandardOutput.ReadLineAsync(Cancellation));
        Run("xenstore-rm", "/w");
        Assert.Equal("/w", await watch.StandardOutput.ReadLineAsync(Cancellation));
        await watch.WaitForExitAsync(Cancellation);
        Assert.Equal(0, watch.ExitCode);
    }

    [Fact]
    public void AKilledDaemonComesBackWithEverything()
    {
        Run("xenstore-write", "/a/b", "hello");
        Run("xenstore-chmod", "/a/b", "n0", "r5");
        for (int i = 0; i < 2; i++)
        {
            Run("xenstore-write", "/count", $"{i}");
            _daemon.Kill();
            _daemon.WaitForExit();
            _daemon.Dispose();
            _daemon = StartDaemon();
            Assert.Equal($"{i}\n", Run("xenstore-read", "/count"));
        }
        Assert.Equal("/a/b = \"hello\"   (n0,r5)\n", Run("xenstore-ls", "-fp", "/a"));
    }

    [Fact]
    public void ASecondDaemonIsRefused()
    {
        using Process second = Start(Path.Combine(AppContext.BaseDirectory, "xenod"), "--xenstore-only", "--xenstore-socket", Socket, "--xenstore-journal", Path.Combine(_directory, "other"));
        Assert.Contains("another xenstore server answers", second.StandardError.ReadToEnd(), StringComparison.Ordinal);
        second.WaitForExit();
        Assert.Equal(1, second.ExitCode);
        using Process third = Start(Path.Combine(AppContext.BaseDirectory, "xenod"), "--xenstore-only", "--xenstore-socket", Socket + "2", "--xenstore-journal", Path.Combine(_directory, "journal"));
        third.WaitForExit();
        Assert.Equal(1, third.ExitCode);
        Run("xenstore-write", "/still", "here");
    }

    [Fact]
    public void OnlyRootMayConnect() => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Socket));

    private Process StartDaemon()
    {
        Process daemon = Start(Path.Combine(AppContext.BaseDirectory, "xenod"), "--xenstore-only", "--xenstore-socket", Socket, "--xenstore-journal", Path.Combine(_directory, "journal"));
        Assert.Equal($"xenod: xenstore listens at {Socket}", daemon.StandardOutput.ReadLine());
        return daemon;
    }

    private string Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        string output = process.StandardOutput.ReadToEnd();
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with error {process.ExitCode}: {errors}");
    }

    private Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["XENSTORED_PATH"] = Socket;
        return Process.Start(start)!;
    }
}
