// How many hypercalls a run of the tests has made.
using Xenolith.UnitTests.Support;

[assembly: AssemblyFixture(typeof(HypercallCount))]

namespace Xenolith.UnitTests.Support;

/// <summary>Says it at the end of the run, in a line of its own, which <c>./x test</c> shows.</summary>
public sealed class HypercallCount : IDisposable
{
    public void Dispose() => System.Console.WriteLine($"hypercalls of hosted domains: {TestDomain.Hypercalls}");
}
