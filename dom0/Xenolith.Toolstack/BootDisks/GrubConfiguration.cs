// The boot menu of a GRUB configuration.
using System.Globalization;

namespace Xenolith.Toolstack.BootDisks;

/// <summary>
/// Runs as much of a grub.cfg as decides which kernel is started with which words: variables, conditions, menus. Commands that prepare the machine
/// (modules, screens, searches for disks) have nothing to do here.
/// </summary>
internal sealed class GrubConfiguration
{
    private const int MostEntries = 1024;
    private const int DeepestNesting = 64;

    // What GRUB itself sets for scripts made for several versions of it.
    private readonly Dictionary<string, string> _variables = new(StringComparer.Ordinal) { ["feature_menuentry_id"] = "y" };
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly Menu _menu = new("", null);
    private readonly Stack<Block> _blocks = new();
    private int _entries;

    private GrubConfiguration(IReadOnlyDictionary<string, string> environment) => _environment = environment;

    private enum Kind
    {
        /// <summary>if, until fi.</summary>
        Condition,

        /// <summary>for, while, until: none of them is run.</summary>
        Loop,

        /// <summary>What only runs when it is called.</summary>
        Function,

        /// <summary>The body of a menu entry or of a menu within the menu.</summary>
        Menu,
    }

    /// <summary>The entry that would be started.</summary>
    /// <param name="text">A grub.cfg.</param>
    /// <param name="environment">Variables that GRUB keeps over a restart (grubenv).</param>
    /// <returns>Null when no entry has a kernel.</returns>
    internal static BootEntry? Choose(string text, IReadOnlyDictionary<string, string> environment)
    {
        GrubConfiguration configuration = new(environment);
        configuration.Run(text);
        string wanted = configuration._variables.GetValueOrDefault("default", "0");
        Menu chosen = configuration._menu.Find(wanted) ?? configuration._menu;
        return (chosen.FirstKernel() ?? configuration._menu.FirstKernel())?.ToEntry();
    }

    /// <summary>Reads the variables of a grubenv file.</summary>
    internal static Dictionary<string, string> ReadEnvironment(string text)
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach (string line in text.Split('\n'))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0 && line[0] != '#')
            {
                variables[line[..equals]] = line[(equals + 1)..];
            }
        }

        return variables;
    }

    private void Run(string text)
    {
        GrubScript script = new(text, _variables);
        while (script.ReadCommand() is { } words)
        {
            Do(words);
        }
    }

    private void Do(List<string> words)
    {
        switch (words[0])
        {
            case "if":
                Open(new Block(Kind.Condition, IsRunning && IsTrue(words[1..])) { WasRunning = IsRunning });
                break;
            case "elif" when InCondition(out Block? block):
                block.IsRunning = block.WasRunning && !block.IsDecided && IsTrue(words[1..]);
                block.IsDecided |= block.IsRunning;
                break;
            case "else" when InCondition(out Block? block):
                block.IsRunning = block.WasRunning && !block.IsDecided;
                DoRest(words);
                break;
            case "then" or "do":
                DoRest(words);
                break;
            case "fi" when InCondition(out _):
                _blocks.Pop();
                break;
            case "for" or "while" or "until":
                Open(new Block(Kind.Loop, false));
                break;
            case "done" when _blocks.TryPeek(out Block? block) && block.Kind == Kind.Loop:
                _blocks.Pop();
                break;
            case "function":
                Open(new Block(Kind.Function, false));
                break;
            case "menuentry" or "submenu" when words.Count > 1:
                OpenMenu(words);
                break;
            case "}" when _blocks.TryPeek(out Block? block) && block.Kind is Kind.Function or Kind.Menu:
                _blocks.Pop();
                break;
            default:
                if (IsRunning)
                {
                    DoSimple(words);
                }

                break;
        }
    }

    private void DoRest(List<string> words)
    {
        if (words.Count > 1)
        {
            Do(words[1..]);
        }
    }

    private void DoSimple(List<string> words)
    {
        Menu? entry = InnermostMenu;
        switch (words[0])
        {
            case "set" when words.Count == 2 && words[1].Split('=', 2) is [string name, string value]:
                _variables[name] = value;
                break;
            case { } assignment when words.Count == 1 && assignment.Split('=', 2) is [string name, string value] && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'):
                _variables[name] = value;
                break;
            case "load_env":
                foreach ((string name, string value) in _environment)
                {
                    _variables[name] = value;
                }

                break;
            case "linux" or "linux16" or "linuxefi" when entry is not null && words.Count > 1:
                entry.Kernel = WithoutDevice(words[1]);
                entry.CommandLine = string.Join(' ', words[2..]);
                break;
            case "initrd" or "initrd16" or "initrdefi" when entry is not null:
                entry.RamDisks = [.. words[1..].Select(WithoutDevice)];
                break;
        }
    }

    /// <summary>The entry or menu whose body is being run; null outside of all.</summary>
    private Menu? InnermostMenu => _blocks.FirstOrDefault(block => block.Menu is not null)?.Menu;

    private bool IsRunning => _blocks.Count == 0 || _blocks.Peek().IsRunning;

    private bool InCondition([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Block? block) => _blocks.TryPeek(out block) && block.Kind == Kind.Condition;

    private void Open(Block block)
    {
        if (_blocks.Count >= DeepestNesting)
        {
            throw new InvalidDataException("its boot loader's configuration is nested too deeply to be read");
        }

        _blocks.Push(block);
    }

    private void OpenMenu(List<string> words)
    {
        if (++_entries > MostEntries)
        {
            throw new InvalidDataException("its boot loader's configuration has too many entries to be read");
        }

        bool isRunning = IsRunning;
        int id = words.IndexOf("--id");
        Menu menu = new(words[1], id >= 0 && id + 1 < words.Count ? words[id + 1] : null);
        if (isRunning)
        {
            (InnermostMenu ?? _menu).Entries.Add(menu);
        }

        Open(new Block(Kind.Menu, isRunning) { Menu = menu });
    }

    /// <summary>What a condition gives: comparisons of texts; nothing is known of the files that others ask for.</summary>
    private static bool IsTrue(List<string> words)
    {
        int end = words.FindIndex(word => word is "]" or "then");
        List<string> condition = end >= 0 ? words[..end] : words;
        if (condition.Count == 0 || condition[0] is not ("[" or "test"))
        {
            return false;
        }

        return condition[1..] switch
        {
            ["!", .. List<string> rest] => !IsTrue(["[", .. rest]),
            [string one] => one.Length != 0,
            ["-n", string one] => one.Length != 0,
            ["-z", string one] => one.Length == 0,
            ["-s", string file] => file.EndsWith("grubenv", StringComparison.Ordinal),
            [string one, "=" or "==", string other] => one == other,
            [string one, "!=", string other] => one != other,
            _ => false,
        };
    }

    /// <summary>A path without the name of GRUB's device before it.</summary>
    private static string WithoutDevice(string path)
        => path.StartsWith('(') && path.IndexOf(')', StringComparison.Ordinal) is >= 0 and int end ? path[(end + 1)..] : path;

    private sealed class Block(Kind kind, bool isRunning)
    {
        internal Kind Kind { get; } = kind;

        internal bool IsRunning { get; set; } = isRunning;

        /// <summary>Of a condition: what is around it runs.</summary>
        internal bool WasRunning { get; init; }

        /// <summary>Of a condition: one of its branches has run.</summary>
        internal bool IsDecided { get; set; } = isRunning;

        internal Menu? Menu { get; init; }
    }

    private sealed class Menu(string title, string? id)
    {
        internal List<Menu> Entries { get; } = [];

        internal string? Kernel { get; set; }

        internal IReadOnlyList<string> RamDisks { get; set; } = [];

        internal string CommandLine { get; set; } = "";

        internal BootEntry ToEntry() => new(title, Kernel, RamDisks, CommandLine);

        /// <summary>The entry of a number, a title or an id, or of such names in menus within menus, divided by '&gt;'.</summary>
        internal Menu? Find(string name)
        {
            Menu? direct = Entries.Find(entry => entry.IsNamed(name));
            if (direct is not null)
            {
                return direct;
            }

            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return number < Entries.Count ? Entries[number] : null;
            }

            int divider = name.IndexOf('>', StringComparison.Ordinal);
            return divider < 0 ? null : Find(name[..divider])?.Find(name[(divider + 1)..].TrimStart('>'));
        }

        internal Menu? FirstKernel() => Kernel is not null ? this : Entries.Select(entry => entry.FirstKernel()).FirstOrDefault(found => found is not null);

        private bool IsNamed(string name) => title == name || id == name;
    }
}
