// A set of processors as people write it: "0-3,5,^1".
using System.Globalization;

namespace Xenolith.Toolstack.Configuration;

/// <summary>A list of processors: <c>all</c>, numbers, ranges, <c>node:N</c> or <c>nodes:N-M</c>, each taken out again with <c>^</c> in front.</summary>
/// <remarks>What it means depends on the machine: <see cref="Resolve"/>.</remarks>
public sealed class CpuList
{
    private readonly record struct Item(bool IsExcluded, bool IsNode, int First, int Last);

    private readonly List<Item> _items;
    private readonly string _text;

    private CpuList(string text, List<Item> items)
    {
        _text = text;
        _items = items;
    }

    /// <summary>All processors.</summary>
    public static CpuList All { get; } = new("all", [new Item(false, false, 0, int.MaxValue)]);

    /// <summary>Reads a list.</summary>
    /// <exception cref="FormatException">The text is no such list; the message says what is wrong.</exception>
    public static CpuList Parse(string text)
    {
        List<Item> items = [];
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            items.Add(ParseItem(part, text));
        }

        return new CpuList(text, items);
    }

    /// <summary>The processors that are meant, ascending.</summary>
    /// <param name="nodes">The NUMA node of each processor of the machine, by the processor's number.</param>
    /// <exception cref="FormatException">No processor of this machine is left.</exception>
    public IReadOnlyList<int> Resolve(IReadOnlyList<int> nodes)
    {
        // A list that begins with an exclusion excludes from all.
        SortedSet<int> chosen = _items[0].IsExcluded ? [.. Enumerable.Range(0, nodes.Count)] : [];
        foreach (Item item in _items)
        {
            IEnumerable<int> meant = Enumerable.Range(0, nodes.Count).Where(cpu => IsMeant(item, item.IsNode ? nodes[cpu] : cpu));
            if (item.IsExcluded)
            {
                chosen.ExceptWith(meant);
            }
            else
            {
                chosen.UnionWith(meant);
            }
        }

        return chosen.Count > 0 ? [.. chosen] : throw new FormatException($"none of this machine's {nodes.Count} processors is in the list '{_text}'");
    }

    /// <summary>The list as it was written.</summary>
    public override string ToString() => _text;

    private static bool IsMeant(Item item, int number) => number >= item.First && number <= item.Last;

    private static Item ParseItem(string part, string text)
    {
        bool isExcluded = part.StartsWith('^');
        string range = isExcluded ? part[1..] : part;
        bool isNode = false;
        foreach (string prefix in (ReadOnlySpan<string>)["nodes:", "node:"])
        {
            if (range.StartsWith(prefix, StringComparison.Ordinal))
            {
                // The exclusion may also stand behind the prefix: nodes:0-3,node:^2.
                range = range[prefix.Length..];
                isNode = true;
                isExcluded |= range.StartsWith('^');
                range = range.TrimStart('^');
                break;
            }
        }

        if (range == "all")
        {
            return new Item(isExcluded, isNode, 0, int.MaxValue);
        }

        int dash = range.IndexOf('-', StringComparison.Ordinal);
        string first = dash < 0 ? range : range[..dash];
        string last = dash < 0 ? range : range[(dash + 1)..];
        if (!TryNumber(first, out int from) || !TryNumber(last, out int to) || to < from)
        {
            throw new FormatException($"'{part}' in the list of processors '{text}' is no number, no range such as 0-3, and not 'all'");
        }

        return new Item(isExcluded, isNode, from, to);
    }

    private static bool TryNumber(string text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
