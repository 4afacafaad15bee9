// The form of xl.cfg files.
using Xenolith.Toolstack.Configuration;

namespace Xenolith.Toolstack.Tests.Configuration;

public sealed class XlDocumentTests
{
    [Fact]
    public void TextsNumbersAndListsAreRead()
    {
        XlDocument document = XlDocument.Parse(
            """
            # a comment
            name = "guest" ; memory = 0x40
            disk = [ 'phy:/dev/a,xvda,w',   # the root
                     "b, with \"quotes\"", ]
            empty = []
            """, "file");
        Assert.Equal(new XlText("guest", 2), document.Find("name"));
        Assert.Equal(new XlNumber(64, 2), document.Find("memory"));
        XlList disks = Assert.IsType<XlList>(document.Find("disk"));
        Assert.Equal([new XlText("phy:/dev/a,xvda,w", 3), new XlText("b, with \"quotes\"", 4)], disks.Items);
        Assert.Empty(Assert.IsType<XlList>(document.Find("empty")).Items);
        Assert.Null(document.Find("vif"));
    }

    [Fact]
    public void PlusEqualsAddsTextsAndLists()
    {
        XlDocument document = XlDocument.Parse("extra = 'a'\nextra += ' b'\nvif += ['x']\nvif += ['y']", "file");
        Assert.Equal("a b", Assert.IsType<XlText>(document.Find("extra")).Text);
        Assert.Equal(2, Assert.IsType<XlList>(document.Find("vif")).Items.Count);
    }

    /// <summary>Lines behind a file's name are there to change what it says.</summary>
    [Fact]
    public void AnOverridingTextTakesThePlaceOfTheFirstWithoutAWarning()
    {
        XlDocument document = XlDocument.Parse("memory = 1\nextra = 'a'\nname = 'web'", "file");
        document.Override("memory = 2\nextra += ' b'", "command line");
        Assert.Equal(2, Assert.IsType<XlNumber>(document.Find("memory")).Number);
        Assert.Equal("a b", Assert.IsType<XlText>(document.Find("extra")).Text);
        Assert.Empty(document.Warnings);
        document.Override("name = 'x'\nname = 'y'", "command line");
        Assert.Contains("command line:2: 'name' is given again", Assert.Single(document.Warnings), StringComparison.Ordinal);
        Assert.Contains("command line:1", Assert.Throws<ConfigurationException>(() => document.Override("vcpus = ", "command line")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AKeyGivenAgainCountsAndIsWarnedOf()
    {
        XlDocument document = XlDocument.Parse("memory = 1\nmemory = 2", "file");
        Assert.Equal(2, Assert.IsType<XlNumber>(document.Find("memory")).Number);
        Assert.Contains("file:2: 'memory' is given again", Assert.Single(document.Warnings));
    }

    [Theory]
    [InlineData("memory 64", "file:1: 'memory' is followed by '='")]
    [InlineData("\nname = guest", "file:2: a value is a text in quotes, a number, or a list in brackets; write \"guest\"")]
    [InlineData("name = 'a", "file:1: the text that begins here has no closing '")]
    [InlineData("name = 'a\\", "file:1: the text that begins here has no closing '")]
    [InlineData("disk = [ 'a' 'b' ]", "file:1: the list that begins on line 1 goes on with ','")]
    [InlineData("disk = [ 'a',", "file:1: a value is a text")]
    [InlineData("memory = 12q", "file:1: '12q' is no number")]
    [InlineData("memory = 99999999999999999999", "is no number")]
    [InlineData("a = 1 b = 2", "file:1: the value of 'a' ends its line")]
    [InlineData("a = {", "file:1: the character '{' has no meaning here")]
    [InlineData("a = [[[[[[[[[[[[[[[[[[", "more than 16 deep")]
    [InlineData("a = 1\na += 'b'", "file:2: 'a +=' adds a text to a text")]
    [InlineData("= 1", "file:1: a setting begins with its name")]
    public void WhatIsWrongIsNamedWithItsLine(string text, string message)
        => Assert.Contains(message, Assert.Throws<ConfigurationException>(() => XlDocument.Parse(text, "file")).Message);
}
