// Headers, paths and permissions on the wire.

using System.Text;
using Xenolith.Toolstack.Xenstore;

namespace ToolstackTests.Xenstore;

public class WireTests
{
    [Fact]
    public void AHeaderIsFourLittleEndianWords()
    {
        byte[] message = XenstoreHeader.Format(XenstoreOperation.Write, 0x01020304, 0x05060708, "ab"u8);
        Assert.Equal((byte[])[11, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 2, 0, 0, 0, (byte)'a', (byte)'b'], message);
        Assert.Equal(new XenstoreHeader(XenstoreOperation.Write, 0x01020304, 0x05060708, 2), XenstoreHeader.Read(message));
    }

    [Theory]
    [InlineData("/", true)]
    [InlineData("/a", true)]
    [InlineData("/a/b-c_d@e/0", true)]
    [InlineData("a/b", true)]
    [InlineData("@releaseDomain", true)]
    [InlineData("", false)]
    [InlineData("/a/", false)]
    [InlineData("a/", false)]
    [InlineData("//", false)]
    [InlineData("/a//b", false)]
    [InlineData("/a.b", false)]
    [InlineData("/a b", false)]
    [InlineData("/\u00e4", false)]
    [InlineData("/a\0", false)]
    public void PathsHaveFewCharacters(string path, bool valid) => Assert.Equal(valid, XenstorePath.IsValid(path));

    [Theory]
    [InlineData('/', 3072, true)]
    [InlineData('/', 3073, false)]
    [InlineData('a', 2048, true)]
    [InlineData('a', 2049, false)]
    public void PathsHaveABoundedLength(char first, int length, bool valid) => Assert.Equal(valid, XenstorePath.IsValid(first + new string('x', length - 1)));

    [Theory]
    [InlineData("n0", XenstoreAccess.None, 0u)]
    [InlineData("r5", XenstoreAccess.Read, 5u)]
    [InlineData("w17", XenstoreAccess.Write, 17u)]
    [InlineData("b65535", XenstoreAccess.Both, 65535u)]
    public void PermissionsAreALetterAndADomain(string text, XenstoreAccess access, uint domain)
    {
        Assert.True(XenstorePermission.TryParse(Encoding.ASCII.GetBytes(text), out XenstorePermission permission));
        Assert.Equal(new XenstorePermission(access, domain), permission);
        Assert.Equal(text, permission.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("r")]
    [InlineData("x1")]
    [InlineData("r-1")]
    [InlineData("r+1")]
    [InlineData("r1 ")]
    [InlineData("r65536")]
    [InlineData("R1")]
    [InlineData("5")]
    public void OtherTextIsNoPermission(string text) => Assert.False(XenstorePermission.TryParse(Encoding.ASCII.GetBytes(text), out _));

    [Fact]
    public void AListOfPermissionsEndsEachWithANul()
    {
        Assert.Equal("n0\0r5\0", Encoding.ASCII.GetString(XenstorePermission.FormatList([XenstorePermission.Owner(0), XenstorePermission.Reader(5)])));
        Assert.True(XenstorePermission.TryParseList("n0\0r5\0"u8, out XenstorePermission[] list));
        Assert.Equal([XenstorePermission.Owner(0), XenstorePermission.Reader(5)], list);
        Assert.False(XenstorePermission.TryParseList("n0\0r5"u8, out _));
        Assert.False(XenstorePermission.TryParseList("n0\0\0"u8, out _));
        Assert.False(XenstorePermission.TryParseList([], out _));
    }
}
