// What has happened, for those who look on.
using System.Globalization;
using System.Runtime.CompilerServices;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Events;

/// <summary>The last events, each under an id from which a reader can go on later.</summary>
/// <remarks>An id names the log's run and a number in it. A reader whose id is of another run, or older than what is kept, is told that it has missed some.</remarks>
internal sealed class EventLog
{
    internal const int Kept = 4096;
    internal const string MissedKind = "events.missed";

    private readonly TimeProvider _clock;
    private readonly string _run;
    private readonly Lock _lock = new();
    private readonly Queue<DomainEvent> _events = new();
    private long _first;
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>An empty log.</summary>
    /// <param name="clock">Gives the time of events.</param>
    internal EventLog(TimeProvider clock)
    {
        _clock = clock;
        _run = clock.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Adds an event.</summary>
    internal void Add(string kind, Guid uuid, string name, string? detail = null)
    {
        TaskCompletionSource waiters;
        lock (_lock)
        {
            _events.Enqueue(new DomainEvent(_clock.GetUtcNow(), kind, uuid, name, detail));
            if (_events.Count > Kept)
            {
                _events.Dequeue();
                _first++;
            }

            waiters = _more;
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiters.SetResult();
    }

    /// <summary>Events as they happen, until cancelled.</summary>
    /// <param name="after">The id of the last event the reader knows; null = only what happens from now on.</param>
    /// <param name="cancellation">Ends the reading without an exception.</param>
    internal async IAsyncEnumerable<(string Id, DomainEvent Event)> ReadAsync(string? after, [EnumeratorCancellation] CancellationToken cancellation)
    {
        long next = Position(after, out bool hasMissed);
        if (hasMissed)
        {
            yield return (IdOf(next - 1), new DomainEvent(_clock.GetUtcNow(), MissedKind, Guid.Empty, "", "older events are not kept any more; list the domains anew"));
        }

        while (!cancellation.IsCancellationRequested)
        {
            DomainEvent[] found;
            Task more;
            long start;
            lock (_lock)
            {
                start = Math.Max(next, _first);
                found = [.. _events.Skip((int)(start - _first))];
                more = _more.Task;
            }

            next = start;
            foreach (DomainEvent one in found)
            {
                yield return (IdOf(next), one);
                next++;
            }

            if (found.Length == 0)
            {
                await more.WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private string IdOf(long number) => string.Create(CultureInfo.InvariantCulture, $"{_run}-{number}");

    private long Position(string? after, out bool hasMissed)
    {
        lock (_lock)
        {
            long end = _first + _events.Count;
            hasMissed = false;
            if (after is null)
            {
                return end;
            }

            int dash = after.IndexOf('-', StringComparison.Ordinal);
            bool isOfThisRun = dash > 0 && after.AsSpan(0, dash).SequenceEqual(_run);
            bool isKnown = long.TryParse(after.AsSpan(dash + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                && isOfThisRun && number >= _first - 1 && number < end;
            hasMissed = !isKnown;
            return isKnown ? number + 1 : _first;
        }
    }
}
