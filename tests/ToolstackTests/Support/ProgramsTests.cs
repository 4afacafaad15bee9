// Running programs of the system.
using Xenolith.Toolstack.Interop;

namespace Xenolith.Toolstack.Tests.Support;

public sealed class ProgramsTests
{
    /// <summary>Left to the garbage collector, the pipes of programs would use up what a process may have open.</summary>
    [Fact]
    public async Task AProgramThatHasRunLeavesNoPipes()
    {
        await Programs.RunAsync("cat", [], "input", TestContext.Current.CancellationToken);
        int before = Pipes();
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal("input", await Programs.RunAsync("cat", [], "input", TestContext.Current.CancellationToken));
            await Assert.ThrowsAsync<ProgramException>(() => Programs.RunAsync("false", [], null, TestContext.Current.CancellationToken));
        }

        // Other tests run beside this one.
        Assert.InRange(Pipes() - before, int.MinValue, 19);
    }

    private static int Pipes() => Directory.GetFiles("/proc/self/fd").Count(file => new FileInfo(file).LinkTarget?.StartsWith("pipe:", StringComparison.Ordinal) == true);
}
