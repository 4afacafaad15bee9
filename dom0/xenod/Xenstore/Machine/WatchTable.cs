// All watches, found by what they watch.

namespace Xenod.Xenstore.Machine;

internal sealed class WatchTable
{
    private readonly Dictionary<string, List<Watch>> _byPath = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Watch>>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    public WatchTable() => _bySpan = _byPath.GetAlternateLookup<ReadOnlySpan<char>>();

    public int Count { get; private set; }

    public void Add(Watch watch)
    {
        if (!_byPath.TryGetValue(watch.Path, out List<Watch>? watches))
        {
            _byPath.Add(watch.Path, watches = []);
        }
        watches.Add(watch);
        Count++;
    }

    public void Remove(Watch watch)
    {
        List<Watch> watches = _byPath[watch.Path];
        watches.Remove(watch);
        Count--;
        if (watches.Count == 0)
        {
            _byPath.Remove(watch.Path);
        }
    }

    /// <summary>The watches of exactly that path, in the order of their registration.</summary>
    public IReadOnlyList<Watch> Of(ReadOnlySpan<char> path) => _bySpan.TryGetValue(path, out List<Watch>? watches) ? watches : [];
}
