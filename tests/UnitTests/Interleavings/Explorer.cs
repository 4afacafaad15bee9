// Runs a scenario of several processors in many orders.
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Interleavings;

/// <summary>
/// Odd seeds switch between processors at random, even ones by priorities that change a few times, which finds what needs few but well
/// placed switches. The order of accesses is that of the processors as they interleave: stores that a processor delays past its own later
/// loads are not among the schedules.
/// </summary>
internal static class Explorer
{
    /// <summary>Fails with the first schedule that ends badly.</summary>
    /// <param name="scenario">Sets a machine up and runs it; called once for each schedule.</param>
    /// <param name="schedules">How many schedules, unless a soak asks for more.</param>
    internal static void Explore(Action scenario, int schedules)
    {
        string? problem = Find(scenario, Soak.Count(schedules), Soak.FirstSeed);
        Assert.True(problem is null, problem);
    }

    /// <summary>What is wrong in the first schedule that ends badly, with its seed; or null.</summary>
    internal static string? Find(Action scenario, int schedules, int seed)
    {
        int steps = 100;
        for (int i = 0; i < schedules; i++, seed++)
        {
            Choices choices = seed % 2 != 0 ? new RandomChoices(seed) : new PriorityChoices(seed, steps);
            if (RunOne(scenario, choices, out steps) is { } problem)
            {
                return $"seed {seed}: {problem}";
            }
        }

        return null;
    }

    /// <summary>The same for every order with at most that many switches away from a processor that could go on; up to a limit of schedules.</summary>
    internal static string? FindInAll(Action scenario, int switches, int limit, out int schedules)
    {
        AllChoices choices = new(switches);
        schedules = 0;
        do
        {
            schedules++;
            if (RunOne(scenario, choices, out _) is { } problem)
            {
                return $"schedule {schedules}: {problem}";
            }
        }
        while (choices.Next() && schedules < limit);
        return null;
    }

    private static string? RunOne(Action scenario, Choices choices, out int steps)
    {
        Schedule schedule = new(choices);
        Schedule.Current = schedule;
        try
        {
            scenario();
            return null;
        }
        catch (ScheduleException problem)
        {
            return problem.Message;
        }
        finally
        {
            Schedule.Current = null;
            steps = Math.Max(schedule.Steps, 10);
        }
    }
}
