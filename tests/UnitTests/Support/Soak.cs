// How long the random tests run.
using System.Collections.Generic;
using System.Globalization;

namespace Xenolith.UnitTests.Support;

/// <summary>
/// The quick run uses the same few seeds each time. A soak (<c>./x test soak N</c>) gives the number of sequences and the first seed in
/// the environment, and prints both.
/// </summary>
internal static class Soak
{
    /// <summary>Trait of the tests that a soak runs.</summary>
    internal const string Kind = "Kind";

    /// <summary>Its value.</summary>
    internal const string Random = "Random";

    private static readonly int s_sequences = Number("XENOLITH_SEQUENCES");
    private static readonly int s_seed = Number("XENOLITH_SEED");

    internal static int FirstSeed => s_seed == 0 ? 1 : s_seed;

    /// <summary>How many sequences to run where the quick run takes <paramref name="quick"/>.</summary>
    internal static int Count(int quick) => s_sequences == 0 ? quick : s_sequences;

    /// <summary>The seeds of a theory: <paramref name="quick"/> of them from <paramref name="first"/> on, or those of the soak.</summary>
    internal static IEnumerable<TheoryDataRow<int>> Seeds(int first, int quick)
    {
        first = s_seed == 0 ? first : s_seed;
        for (int seed = first; seed < first + Count(quick); seed++)
        {
            yield return seed;
        }
    }

    private static int Number(string variable)
        => int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : 0;
}
