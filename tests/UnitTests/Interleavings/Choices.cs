// Who goes on next: at random, by priorities, or every order in turn.
using System.Collections.Generic;
using System.Linq;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>Decides at each step of a schedule.</summary>
internal abstract class Choices
{
    /// <summary>Who goes on: one of <paramref name="ready"/>, which is not empty and in ascending order. <paramref name="current"/> may be among them.</summary>
    internal abstract int Choose(int current, IReadOnlyList<int> ready, int step);
}

/// <summary>Stays with the one that runs three times in four.</summary>
internal sealed class RandomChoices(int seed) : Choices
{
    private readonly Random _random = new(seed);

    internal override int Choose(int current, IReadOnlyList<int> ready, int step)
        => _random.Next(4) != 0 && ready.Contains(current) ? current : ready[_random.Next(ready.Count)];
}

/// <summary>
/// The one with the highest priority runs as long as it can; at a few steps, drawn beforehand, the one that runs falls behind all others
/// (the probabilistic concurrency testing of Burckhardt et al., ASPLOS 2010).
/// </summary>
internal sealed class PriorityChoices : Choices
{
    private const int Most = 64;
    private const int Changes = 4;

    private readonly int[] _priorities = new int[Most];
    private readonly HashSet<int> _changes = [];
    private int _lowest;

    internal PriorityChoices(int seed, int expectedSteps)
    {
        Random random = new(seed);
        for (int i = 0; i < Most; i++)
        {
            _priorities[i] = i + 1;
        }

        random.Shuffle(_priorities);
        for (int i = 0; i < Changes; i++)
        {
            _changes.Add(random.Next(expectedSteps));
        }
    }

    internal override int Choose(int current, IReadOnlyList<int> ready, int step)
    {
        if (_changes.Contains(step))
        {
            _priorities[current] = --_lowest;
        }

        return ready.MaxBy(index => _priorities[index]);
    }
}

/// <summary>Depth first through all orders with a bounded number of switches that nothing forced.</summary>
internal sealed class AllChoices(int switches) : Choices
{
    private readonly List<(int Chosen, int Count)> _path = [];
    private int _depth;
    private int _switched;

    internal override int Choose(int current, IReadOnlyList<int> ready, int step)
    {
        bool isForced = !ready.Contains(current);
        List<int> options = isForced ? [.. ready] : _switched < switches ? [current, .. ready.Where(index => index != current)] : [current];
        if (_depth == _path.Count)
        {
            _path.Add((0, options.Count));
        }

        int chosen = _path[_depth++].Chosen;
        _switched += isForced || chosen == 0 ? 0 : 1;
        return options[chosen];
    }

    /// <summary>Turns to the next order; false when there is none.</summary>
    internal bool Next()
    {
        _depth = 0;
        _switched = 0;
        while (_path.Count != 0)
        {
            (int chosen, int count) = _path[^1];
            _path.RemoveAt(_path.Count - 1);
            if (chosen + 1 < count)
            {
                _path.Add((chosen + 1, count));
                return true;
            }
        }

        return false;
    }
}
