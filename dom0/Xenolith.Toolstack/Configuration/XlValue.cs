// The values of an xl.cfg file.
namespace Xenolith.Toolstack.Configuration;

/// <summary>A value of an xl.cfg file and the line on which it begins.</summary>
/// <param name="Line">From 1.</param>
public abstract record XlValue(int Line);

/// <summary>A text in quotes.</summary>
/// <param name="Text">Without the quotes, escapes replaced.</param>
/// <param name="Line">From 1.</param>
public sealed record XlText(string Text, int Line) : XlValue(Line);

/// <summary>A decimal or hexadecimal number.</summary>
/// <param name="Number">Its value.</param>
/// <param name="Line">From 1.</param>
public sealed record XlNumber(long Number, int Line) : XlValue(Line);

/// <summary>A list in brackets.</summary>
/// <param name="Items">In the file's order.</param>
/// <param name="Line">From 1.</param>
public sealed record XlList(IReadOnlyList<XlValue> Items, int Line) : XlValue(Line);
