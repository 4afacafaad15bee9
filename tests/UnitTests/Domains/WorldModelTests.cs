// Domains that map, copy, transfer, signal, retype, balloon, come and go at random: everything is accounted for, and all memory comes back.
using System.Collections.Generic;
using System.Globalization;
using Xenolith.Machine;
using Xenolith.UnitTests.PageTables;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Domains;

[Trait(Soak.Kind, Soak.Random)]
public sealed class WorldModelTests
{
    private const int Steps = 20_000;
    private const int StepsPerCheck = 64;
    private const int Remembered = 12;

    public static IEnumerable<TheoryDataRow<int>> Seeds() => Soak.Seeds(1, 70);

    /// <summary>Audited now and then; a sequence that fails is repeated with an audit after each step, which names the step.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void EverythingIsAccountedForAndAllMemoryComesBack(int seed)
    {
        try
        {
            Run(seed, StepsPerCheck, new Queue<string>());
        }
        catch (Exception problem) when (IsFinding(problem))
        {
            Queue<string> steps = new();
            try
            {
                Run(seed, 1, steps);
            }
            catch (Exception again) when (IsFinding(again))
            {
                problem = again;
            }

            Assert.Fail($"seed {seed.ToString(CultureInfo.InvariantCulture)}: {problem}\nthe last steps:\n{string.Join('\n', steps)}");
        }
    }

    private static bool IsFinding(Exception problem) => problem is AuditException or HypervisorPanicException;

    private static void Run(int seed, int stepsPerCheck, Queue<string> steps)
    {
        World world = new(new Random(seed));
        world.Check();
        for (int step = 1; step <= Steps; step++)
        {
            try
            {
                world.Step();
            }
            finally
            {
                steps.Enqueue($"{step}: {world.Last}");
                if (steps.Count > Remembered)
                {
                    steps.Dequeue();
                }
            }

            if (step % stepsPerCheck == 0)
            {
                world.Check();
            }
        }

        world.End();
        Assert.True(world.Destroyed > 2);
    }
}
