// An xl.cfg file as its keys and values.
using System.Buffers;
using System.Text.Json;

namespace Xenolith.Toolstack.Configuration;

/// <summary>The assignments of an xl.cfg file, the way Xen's xl reads it.</summary>
/// <remarks>
/// <c>key = value</c> or <c>key += value</c>, one a line or parted by semicolons; a value is a text in quotes, a number, or a list in brackets over as many
/// lines as it needs. A key that is given again takes the place of the first, with a warning.
/// </remarks>
public sealed class XlDocument
{
    private const int DeepestList = 16;

    private readonly Dictionary<string, XlValue> _values = new(StringComparer.Ordinal);
    private readonly List<string> _warnings = [];
    private readonly HashSet<string> _overridable = new(StringComparer.Ordinal);
    private string _reading;

    private XlDocument(string source)
    {
        Source = source;
        _reading = source;
    }

    /// <summary>The file, or what else the text came from; stands before messages.</summary>
    public string Source { get; }

    /// <summary>The keys in the order of their first appearance.</summary>
    public IReadOnlyCollection<string> Keys => _values.Keys;

    /// <summary>What is odd without being wrong.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Reads a text.</summary>
    /// <param name="text">The content of the file.</param>
    /// <param name="source">Its name, for messages.</param>
    /// <exception cref="ConfigurationException">The text is not of that form.</exception>
    public static XlDocument Parse(string text, string source)
    {
        XlDocument document = new(source);
        document.Read(text);
        return document;
    }

    /// <summary>Reads a further text, whose values take the place of those of the first without a warning: that is what it is there for.</summary>
    /// <param name="text">Statements as in a file.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="ConfigurationException">The text is not of that form.</exception>
    public void Override(string text, string source)
    {
        _overridable.UnionWith(_values.Keys);
        _reading = source;
        Read(text);
    }

    /// <summary>Makes a document of values that come from elsewhere.</summary>
    /// <param name="values">Keys and values as in a file.</param>
    /// <param name="source">Where they come from, for messages.</param>
    public static XlDocument FromValues(IEnumerable<KeyValuePair<string, XlValue>> values, string source)
    {
        XlDocument document = new(source);
        foreach ((string key, XlValue value) in values)
        {
            document._values[key] = value;
        }

        return document;
    }

    /// <summary>Puts a text in place of a key's value; null takes the key out.</summary>
    public void Set(string key, string? text)
    {
        if (text is null)
        {
            _values.Remove(key);
        }
        else
        {
            _values[key] = new XlText(text, _values.GetValueOrDefault(key)?.Line ?? 0);
        }
    }

    /// <summary>The same settings as a JSON object, which the daemon takes.</summary>
    public JsonElement ToJson()
    {
        ArrayBufferWriter<byte> text = new();
        using (Utf8JsonWriter writer = new(text))
        {
            writer.WriteStartObject();
            foreach ((string key, XlValue value) in _values)
            {
                writer.WritePropertyName(key);
                Write(writer, value);
            }

            writer.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(text.WrittenMemory);
        return document.RootElement.Clone();
    }

    /// <summary>The value of a key, or null.</summary>
    public XlValue? Find(string key) => _values.GetValueOrDefault(key);

    private static void Write(Utf8JsonWriter writer, XlValue value)
    {
        switch (value)
        {
            case XlText text:
                writer.WriteStringValue(text.Text);
                break;
            case XlNumber number:
                writer.WriteNumberValue(number.Number);
                break;
            case XlList list:
                writer.WriteStartArray();
                foreach (XlValue item in list.Items)
                {
                    Write(writer, item);
                }

                writer.WriteEndArray();
                break;
        }
    }

    private bool ParseStatement(ref XlLexer lexer)
    {
        XlToken key = lexer.Next();
        if (key.Kind is XlTokenKind.End or XlTokenKind.LineEnd)
        {
            return key.Kind == XlTokenKind.LineEnd;
        }

        if (key.Kind != XlTokenKind.Name)
        {
            throw Wrong(key, "a setting begins with its name: key = value");
        }

        XlToken sign = lexer.Next();
        if (sign.Kind is not (XlTokenKind.Equals or XlTokenKind.PlusEquals))
        {
            throw Wrong(sign, $"'{key.Text}' is followed by '=' and a value");
        }

        XlValue value = ParseValue(ref lexer, lexer.Next(), 0);
        Assign(key, value, sign.Kind == XlTokenKind.PlusEquals);
        XlToken end = lexer.Next();
        if (end.Kind is not (XlTokenKind.LineEnd or XlTokenKind.End))
        {
            throw Wrong(end, $"the value of '{key.Text}' ends its line; put ';' or a new line before the next setting");
        }

        return end.Kind == XlTokenKind.LineEnd;
    }

    private XlValue ParseValue(ref XlLexer lexer, XlToken first, int depth)
    {
        return first.Kind switch
        {
            XlTokenKind.Text => new XlText(first.Text, first.Line),
            XlTokenKind.Number => new XlNumber(first.Number, first.Line),
            XlTokenKind.Open when depth < DeepestList => ParseList(ref lexer, first.Line, depth),
            XlTokenKind.Open => throw Wrong(first, $"lists lie in lists more than {DeepestList} deep"),
            XlTokenKind.Name => throw Wrong(first, $"a value is a text in quotes, a number, or a list in brackets; write \"{first.Text}\""),
            _ => throw Wrong(first, "a value is a text in quotes, a number, or a list in brackets"),
        };
    }

    private XlList ParseList(ref XlLexer lexer, int line, int depth)
    {
        List<XlValue> items = [];
        XlToken token = NextInList(ref lexer);
        while (token.Kind != XlTokenKind.Close)
        {
            items.Add(ParseValue(ref lexer, token, depth + 1));
            token = NextInList(ref lexer);
            if (token.Kind == XlTokenKind.Comma)
            {
                token = NextInList(ref lexer);
            }
            else if (token.Kind != XlTokenKind.Close)
            {
                throw Wrong(token, $"the list that begins on line {line} goes on with ',' or ends with ']'");
            }
        }

        return new XlList(items, line);
    }

    private static XlToken NextInList(ref XlLexer lexer)
    {
        XlToken token;
        do
        {
            token = lexer.Next();
        }
        while (token.Kind == XlTokenKind.LineEnd && token.Text == "\n");

        return token;
    }

    private void Read(string text)
    {
        XlLexer lexer = new(_reading, text);
        while (ParseStatement(ref lexer))
        {
        }
    }

    private void Assign(XlToken key, XlValue value, bool isAppended)
    {
        XlValue? old = _values.GetValueOrDefault(key.Text);
        if (isAppended && old is not null)
        {
            value = (old, value) switch
            {
                (XlText first, XlText second) => new XlText(first.Text + second.Text, first.Line),
                (XlList first, XlList second) => new XlList([.. first.Items, .. second.Items], first.Line),
                _ => throw Wrong(key, $"'{key.Text} +=' adds a text to a text or a list to a list"),
            };
        }
        else if (old is not null && !_overridable.Remove(key.Text))
        {
            _warnings.Add($"{_reading}:{key.Line}: '{key.Text}' is given again; the value of line {old.Line} is not used");
        }

        _values[key.Text] = value;
    }

    private ConfigurationException Wrong(XlToken token, string problem) => new(_reading, token.Line, problem);
}
