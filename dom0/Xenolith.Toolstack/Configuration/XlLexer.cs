// Cuts the text of an xl.cfg file into tokens.
using System.Globalization;
using System.Text;

namespace Xenolith.Toolstack.Configuration;

internal enum XlTokenKind
{
    End,
    LineEnd,
    Name,
    Text,
    Number,
    Equals,
    PlusEquals,
    Open,
    Close,
    Comma,
}

internal readonly record struct XlToken(XlTokenKind Kind, string Text, long Number, int Line);

/// <summary>The lexical grammar of xl.cfg: names, quoted texts with backslash escapes, numbers, and # comments.</summary>
internal ref struct XlLexer(string source, ReadOnlySpan<char> text)
{
    private readonly ReadOnlySpan<char> _text = text;
    private int _at;
    private int _line = 1;

    internal XlToken Next()
    {
        SkipSpaceAndComments();
        int line = _line;
        if (_at >= _text.Length)
        {
            return new XlToken(XlTokenKind.End, "", 0, line);
        }

        char c = _text[_at];
        switch (c)
        {
            case '\n':
                _at++;
                _line++;
                return new XlToken(XlTokenKind.LineEnd, "\n", 0, line);
            case ';':
                return Symbol(XlTokenKind.LineEnd, 1);
            case '=':
                return Symbol(XlTokenKind.Equals, 1);
            case '+' when _at + 1 < _text.Length && _text[_at + 1] == '=':
                return Symbol(XlTokenKind.PlusEquals, 2);
            case '[':
                return Symbol(XlTokenKind.Open, 1);
            case ']':
                return Symbol(XlTokenKind.Close, 1);
            case ',':
                return Symbol(XlTokenKind.Comma, 1);
            case '"' or '\'':
                return new XlToken(XlTokenKind.Text, QuotedText(c), 0, line);
            case '-' or (>= '0' and <= '9'):
                return new XlToken(XlTokenKind.Number, "", NumberValue(), line);
            case '_' or (>= 'a' and <= 'z') or (>= 'A' and <= 'Z'):
                return new XlToken(XlTokenKind.Name, NameText(), 0, line);
            default:
                throw new ConfigurationException(source, line, $"the character '{c}' has no meaning here; texts stand in quotes: name = \"value\"");
        }
    }

    private void SkipSpaceAndComments()
    {
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '#')
            {
                int end = _text[_at..].IndexOf('\n');
                _at = end < 0 ? _text.Length : _at + end;
            }
            else if (c is ' ' or '\t' or '\r')
            {
                _at++;
            }
            else
            {
                return;
            }
        }
    }

    private XlToken Symbol(XlTokenKind kind, int length)
    {
        string text = _text.Slice(_at, length).ToString();
        _at += length;
        return new XlToken(kind, text, 0, _line);
    }

    private string QuotedText(char quote)
    {
        int line = _line;
        StringBuilder text = new();
        for (_at++; _at < _text.Length && _text[_at] != '\n'; _at++)
        {
            char c = _text[_at];
            if (c == quote)
            {
                _at++;
                return text.ToString();
            }

            if (c == '\\')
            {
                _at++;
                if (_at >= _text.Length)
                {
                    break;
                }

                text.Append(_text[_at] switch { 'n' => '\n', 't' => '\t', char other => other });
            }
            else
            {
                text.Append(c);
            }
        }

        throw new ConfigurationException(source, line, $"the text that begins here has no closing {quote} on its line");
    }

    private long NumberValue()
    {
        int start = _at;
        for (_at++; _at < _text.Length && char.IsAsciiLetterOrDigit(_text[_at]); _at++)
        {
        }

        ReadOnlySpan<char> digits = _text[start.._at];
        bool isHexadecimal = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isNumber = isHexadecimal
            ? long.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long value)
            : long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
        return isNumber ? value : throw new ConfigurationException(source, _line, $"'{digits}' is no number; write digits, 0x and hexadecimal digits, or a text in quotes");
    }

    private string NameText()
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '_' or '.'))
        {
            _at++;
        }

        return _text[start.._at].ToString();
    }
}
