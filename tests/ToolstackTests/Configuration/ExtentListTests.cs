// Descriptions of disks that are made of extents.
using Xenolith.Toolstack.Configuration;

namespace Xenolith.Toolstack.Tests.Configuration;

public sealed class ExtentListTests
{
    [Fact]
    public void ExtentsAreReadInTheirOrder() => Assert.Equal(
        [new Extent("/dev/sdb", 1024, 10L << 30), new Extent("/srv/a.img", 0, null), new Extent("/dev/sdb", 3L << 40, 512)],
        ExtentList.Parse("# root of web\n/dev/sdb 1K 10G\n\n  /srv/a.img\n/dev/sdb\t3t 512\n"));

    [Theory]
    [InlineData("", "lists no extent")]
    [InlineData("# nothing", "lists no extent")]
    [InlineData("sdb 0 1M", "line 1: it is no path")]
    [InlineData("/dev/sdb 0 1M more", "line 1: it is no path")]
    [InlineData("/dev/sdb\n/dev/sdc 100", "line 2: '100' is no number of whole sectors")]
    [InlineData("/dev/sdb -512", "'-512' is no number")]
    [InlineData("/dev/sdb 9999999999G", "'9999999999G' is no number")]
    [InlineData("/dev/sdb M", "'M' is no number")]
    [InlineData("/dev/sdb 0 0", "its length is zero")]
    public void WrongLinesAreNamed(string text, string problem) => Assert.Contains(problem, Assert.Throws<FormatException>(() => ExtentList.Parse(text)).Message, StringComparison.Ordinal);
}
