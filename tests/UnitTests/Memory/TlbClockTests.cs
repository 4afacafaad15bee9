// The flush clock of 24 bits against one that never wraps.
using System.Collections.Generic;
using System.Linq;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Memory;

public sealed class TlbClockTests
{
    private const int Processors = 3;
    private const uint Wrap = 1 << 24;

    /// <summary>
    /// A processor that has not flushed since a stamp must be asked to, however often the others have. One that has must not be asked,
    /// but for the round after a wrap.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NoStaleTranslationIsMissed(int seed)
    {
        TestDomain domain = TestDomain.Create();
        Random random = new(seed);
        ulong time = 0;
        ulong[] flushedAt = new ulong[Processors];
        bool[] mayBeAskedAnyway = new bool[Processors];
        List<(uint Stamp, ulong Time)> stamps = [];
        try
        {
            SetUp(domain.Id);
            for (int step = 0; step < 20_000; step++)
            {
                switch (random.Next(4))
                {
                    case 0:
                        stamps.Add((TlbClock.Stamp, ++time));
                        break;
                    case 1 when stamps.Count != 0:
                        (uint stamp, ulong taken) = stamps[random.Next(stamps.Count)];
                        TlbClock.RequestFlushSince(domain.Id, stamp);
                        for (int processor = 0; processor < Processors; processor++)
                        {
                            bool isStale = flushedAt[processor] < taken;
                            bool asked = ProcessorTable.At(processor).NeedsFlush;
                            Assert.True(asked || !isStale, $"seed {seed} step {step}: processor {processor} keeps a stale translation");
                            Assert.True(!asked || isStale || mayBeAskedAnyway[processor], $"seed {seed} step {step}: processor {processor} is asked for nothing");
                            if (asked)
                            {
                                Flush(processor, flushedAt, mayBeAskedAnyway, ++time);
                            }
                        }

                        break;
                    default:
                        Flush(random.Next(Processors), flushedAt, mayBeAskedAnyway, ++time);
                        break;
                }

                if (step == 10_000)
                {
                    // Processor 1 alone flushes until the clock has gone round.
                    for (uint i = 0; i < Wrap; i++)
                    {
                        FakeCpu.Index = 1;
                        TlbClock.Flushed();
                    }

                    flushedAt[1] = ++time;
                    Array.Fill(mayBeAskedAnyway, true);
                    stamps = [.. stamps.Where(_ => random.Next(10) == 0)];
                }
            }
        }
        finally
        {
            FakeCpu.Index = 0;
            ProcessorTable.Count = 1;
        }
    }

    private static void SetUp(ushort domain)
    {
        ProcessorTable.Count = Processors;
        for (int processor = 0; processor < Processors; processor++)
        {
            ProcessorTable.At(processor) = Processor.New((uint)processor, 0);
            ProcessorTable.At(processor).LoadedDomain = domain;
            FakeCpu.Index = processor;
            TlbClock.Flushed();
        }
    }

    private static void Flush(int processor, ulong[] flushedAt, bool[] mayBeAskedAnyway, ulong time)
    {
        FakeCpu.Index = processor;
        TlbClock.Flushed();
        FakeCpu.Index = 0;
        flushedAt[processor] = time;
        mayBeAskedAnyway[processor] = false;
    }
}
