// The commands of a GRUB configuration.
using System.Text;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>Splits a script into commands of words, with variables expanded as they are at that moment (GRUB manual, "Shell-like scripting").</summary>
internal sealed class GrubScript(string text, IReadOnlyDictionary<string, string> variables)
{
    private int _at;

    /// <summary>The next command; null at the end. Braces are words.</summary>
    internal List<string>? ReadCommand()
    {
        while (_at < text.Length)
        {
            List<string> words = ReadLine();
            if (words.Count != 0)
            {
                return words;
            }
        }

        return null;
    }

    private List<string> ReadLine()
    {
        List<string> words = [];
        StringBuilder word = new();
        bool isWord = false;
        for (; _at < text.Length; _at++)
        {
            char c = text[_at];
            switch (c)
            {
                case '\n' or ';':
                    _at++;
                    End();
                    return words;
                case ' ' or '\t' or '\r':
                    End();
                    break;
                case '#' when !isWord:
                    _at = text.IndexOf('\n', _at) is >= 0 and int end ? end - 1 : text.Length;
                    break;
                case '\'':
                    isWord = true;
                    _at = Quoted(word);
                    break;
                case '"':
                    isWord = true;
                    DoublyQuoted(word);
                    break;
                case '\\' when _at + 1 < text.Length:
                    _at++;
                    if (text[_at] != '\n')
                    {
                        isWord = true;
                        word.Append(text[_at]);
                    }

                    break;
                case '$':
                    isWord |= Expand(word);
                    break;
                case '{' when !isWord && words.Count != 0:
                    // What follows is a body with commands of its own.
                    words.Add("{");
                    _at++;
                    return words;
                default:
                    isWord = true;
                    word.Append(c);
                    break;
            }
        }

        End();
        return words;

        void End()
        {
            if (isWord)
            {
                words.Add(word.ToString());
            }

            word.Clear();
            isWord = false;
        }
    }

    /// <summary>Takes what is between single quotes as it is; gives the place of the closing one.</summary>
    private int Quoted(StringBuilder word)
    {
        int end = text.IndexOf('\'', _at + 1);
        end = end < 0 ? text.Length : end;
        word.Append(text, _at + 1, end - _at - 1);
        return end;
    }

    private void DoublyQuoted(StringBuilder word)
    {
        for (_at++; _at < text.Length && text[_at] != '"'; _at++)
        {
            if (text[_at] == '\\' && _at + 1 < text.Length && text[_at + 1] is '"' or '\\' or '$')
            {
                word.Append(text[++_at]);
            }
            else if (text[_at] == '$')
            {
                Expand(word);
            }
            else
            {
                word.Append(text[_at]);
            }
        }
    }

    /// <summary>Appends a variable's value; leaves the place at the last character of its name. False when it has none.</summary>
    private bool Expand(StringBuilder word)
    {
        bool isBraced = _at + 1 < text.Length && text[_at + 1] == '{';
        int start = _at + (isBraced ? 2 : 1);
        int end = start;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_'))
        {
            end++;
        }

        string value = variables.GetValueOrDefault(text[start..end], "");
        _at = isBraced && end < text.Length && text[end] == '}' ? end : end - 1;
        word.Append(value);
        return value.Length != 0;
    }
}
