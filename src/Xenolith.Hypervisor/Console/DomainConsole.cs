// The console of a boot-time domain, which the hypervisor serves.
using System.Runtime.CompilerServices;

namespace Xenolith.Hypervisor.Console;

/// <summary>Collects what the domain writes into lines, each of which goes to the machine's console with the domain's name before it.</summary>
internal struct DomainConsole
{
    internal const int MaximumName = 31;

    private const int MaximumLine = 255;

    // The console whose line, as far as it has come, is the last thing on the machine's console; and how much had been printed then.
    private static int s_openSlot;
    private static ulong s_openAt;

    internal bool IsInUse;

    /// <summary>Number of the console, from 1 on.</summary>
    internal int Slot;

    internal ushort DomainId;

    /// <summary>The event channel by which the guest and the hypervisor tell each other.</summary>
    internal uint Port;

    internal ConsoleRingPage Ring;

    internal OutputBudget Budget;

    /// <summary>A line of the domain's has been printed.</summary>
    internal bool HasSpoken;

    /// <summary>The ring holds something that has to wait for the budget.</summary>
    internal bool IsWaiting;

    private NameText _name;
    private int _nameLength;
    private LineText _line;
    private int _lineLength;
    private int _shown;

    internal static ReadOnlySpan<byte> Name(ref DomainConsole console) => ((ReadOnlySpan<byte>)console._name).Slice(0, console._nameLength);

    /// <summary>Sets the name; a number above 0 is appended.</summary>
    internal void SetName(ReadOnlySpan<byte> name, int number)
    {
        Span<byte> digits = stackalloc byte[10];
        int at = digits.Length;
        for (; number > 0; number /= 10)
        {
            digits[--at] = (byte)('0' + (number % 10));
        }

        _nameLength = 0;
        Append(name);
        Append(digits.Slice(at));
    }

    /// <summary>Takes one byte of the domain's output. What could reach beyond its line is left out, unless somebody talks to the domain.</summary>
    internal void Put(byte value, bool isInteractive)
    {
        if (value == (byte)'\n')
        {
            EndLine();
        }
        else if (isInteractive || value is (byte)'\t' or (>= 0x20 and not 0x7F))
        {
            _line[_lineLength++] = value;
            if (_lineLength == MaximumLine)
            {
                EndLine();
            }
        }
    }

    /// <summary>Prints what has come of the line so far: a prompt, or what is being typed.</summary>
    internal void ShowPart()
    {
        if (_lineLength > _shown)
        {
            Show();
        }
    }

    /// <summary>Prints a line that will not be ended.</summary>
    internal void Flush()
    {
        if (_lineLength != 0)
        {
            EndLine();
        }
    }

    private void EndLine()
    {
        Show();
        ConsoleOutput.Write("\n"u8);
        _lineLength = 0;
        _shown = 0;
        HasSpoken = true;
    }

    private void Show()
    {
        bool isOpen = _shown != 0 && s_openSlot == Slot && s_openAt == ConsoleOutput.Written;
        if (!isOpen)
        {
            ConsoleOutput.StartLine();
            ConsoleOutput.Write("["u8);
            ConsoleOutput.Write(((ReadOnlySpan<byte>)_name).Slice(0, _nameLength));
            ConsoleOutput.Write("] "u8);
            _shown = 0;
        }

        ConsoleOutput.Write(((ReadOnlySpan<byte>)_line).Slice(_shown, _lineLength - _shown));
        _shown = _lineLength;
        s_openSlot = Slot;
        s_openAt = ConsoleOutput.Written;
    }

    private void Append(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length && _nameLength < MaximumName; i++)
        {
            _name[_nameLength++] = text[i];
        }
    }

    [InlineArray(MaximumName + 1)]
    private struct NameText
    {
        private byte _first;
    }

    [InlineArray(MaximumLine + 1)]
    private struct LineText
    {
        private byte _first;
    }
}
