// One order in which the threads of a scenario run.
using System.Collections.Generic;
using System.Linq;
using System.Threading;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// Threads that hand on a baton: one runs at a time, and at each step the choices say who goes on. The same choices give the same run.
/// </summary>
internal sealed class Schedule(Choices choices)
{
    private const int MaximumSteps = 20_000;

    [ThreadStatic]
    private static int s_self;

    private readonly ManualResetEventSlim _end = new(false);
    private SemaphoreSlim[] _turns = [];
    private Func<bool>?[] _waits = [];
    private bool[] _hasEnded = [];
    private volatile bool _isAborted;
    private string? _problem;

    /// <summary>The schedule that the scenario of the moment runs in.</summary>
    internal static Schedule? Current { get; set; }

    internal int Steps { get; private set; }

    /// <summary>Runs the threads until all have ended. Throws <see cref="ScheduleException"/> when one fails, or nobody can go on.</summary>
    internal void Run(int count, Action<int> body)
    {
        _turns = [.. Enumerable.Range(0, count).Select(_ => new SemaphoreSlim(0))];
        _waits = new Func<bool>?[count];
        _hasEnded = new bool[count];
        Thread[] threads = [.. Enumerable.Range(0, count).Select(index => new Thread(() => RunThread(index, body)) { IsBackground = true })];
        Array.ForEach(threads, thread => thread.Start());
        HandOn(0);
        _end.Wait();
        Array.ForEach(threads, thread => thread.Join());
        if (_problem is not null)
        {
            throw new ScheduleException(_problem);
        }
    }

    /// <summary>A moment at which another thread may go on.</summary>
    internal void Step() => WaitUntil(null);

    /// <summary>The calling thread goes on when the condition holds; others may at once.</summary>
    internal void WaitUntil(Func<bool>? condition)
    {
        int self = s_self;
        _waits[self] = condition;
        if (++Steps > MaximumSteps)
        {
            Fail("there is no end to it");
        }

        if (HandOn(self) != self)
        {
            _turns[self].Wait();
        }

        _waits[self] = null;
        if (_isAborted)
        {
            throw new OperationCanceledException();
        }
    }

    /// <summary>Ends the schedule with a sentence about what is wrong.</summary>
    internal void Fail(string problem)
    {
        _problem ??= problem;
        _isAborted = true;
        Array.ForEach(_turns, turn => turn.Release());
        throw new OperationCanceledException();
    }

    private void RunThread(int self, Action<int> body)
    {
        s_self = self;
        _turns[self].Wait();
        try
        {
            if (!_isAborted)
            {
                body(self);
            }
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception problem)
        {
            End(() => Fail($"thread {self}: {problem.Message}\n{problem.StackTrace}"));
        }

        _hasEnded[self] = true;
        End(() => HandOn(self));
        if (Array.TrueForAll(_hasEnded, ended => ended))
        {
            _end.Set();
        }
    }

    private static void End(Action last)
    {
        try
        {
            last();
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Gives the turn to whoever goes on, and says who that is; -1 when all have ended.</summary>
    private int HandOn(int self)
    {
        if (_isAborted)
        {
            return self;
        }

        List<int> ready = [];
        for (int index = 0; index < _turns.Length; index++)
        {
            if (!_hasEnded[index] && _waits[index]?.Invoke() != false)
            {
                ready.Add(index);
            }
        }

        if (ready.Count == 0)
        {
            if (!Array.TrueForAll(_hasEnded, ended => ended))
            {
                Fail("all wait for each other");
            }

            return -1;
        }

        int next = choices.Choose(self, ready, Steps);
        if (next != self || Steps == 0)
        {
            _turns[next].Release();
        }

        return next;
    }
}
