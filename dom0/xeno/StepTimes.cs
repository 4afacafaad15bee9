// How long the steps of a domain's creation take.
using System.Diagnostics;
using System.Globalization;
using Xenolith.Toolstack.Building;

namespace Xeno;

/// <summary>Prints each step when the next one begins; the last one when it is disposed of.</summary>
internal sealed class StepTimes : IProgress<BuildProgress>, IDisposable
{
    private BuildProgress? _last;
    private long _begin;

    public void Report(BuildProgress value)
    {
        if (_last?.Step != value.Step)
        {
            Dispose();
            _begin = Stopwatch.GetTimestamp();
        }

        _last = value;
    }

    public void Dispose()
    {
        if (_last is BuildProgress step)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{step.Step}: {Stopwatch.GetElapsedTime(_begin).TotalMilliseconds:F1} ms"));
            _last = null;
        }
    }
}
