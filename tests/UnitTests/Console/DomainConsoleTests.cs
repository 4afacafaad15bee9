// The consoles of boot-time domains: what well-behaved guests write arrives, and what hostile ones write harms nobody.
using System.Text;
using Xenolith.Abi;
using Xenolith.Hypervisor.Console;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;
using Xenolith.UnitTests.Support;

namespace Xenolith.UnitTests.Console;

public sealed class DomainConsoleTests
{
    private const int InputConsumed = 3072;
    private const int InputProduced = 3076;
    private const int OutputConsumed = 3080;
    private const int OutputProduced = 3084;

    private readonly TestDomain _domain;
    private readonly Mfn _ring;
    private readonly uint _port;
    private ulong _read;

    public DomainConsoleTests()
    {
        _domain = TestDomain.Create(isPrivileged: false);
        FakeCpu.TscStep = 0;
        _ring = _domain.NewPage();
        PhysicalMemory.Clear(_ring);
        _port = DomainConsoles.Open(ref _domain.Domain, _ring, "web"u8, 7);

        // Another test may have left the console in the middle of a line.
        ConsoleOutput.StartLine();
        _read = ConsoleRing.Produced;
    }

    [Fact]
    public void PrintsWholeLinesWithTheDomainsName()
    {
        Write("one\ntw");
        Send();
        Assert.Equal("[web7] one\n", Printed());
        Write("o\r\n\u001b[2Jthree\a\n");
        Send();
        Assert.Equal("[web7] two\n[web7] [2Jthree\n", Printed());
        Assert.Equal(Word(OutputProduced), Word(OutputConsumed));
    }

    [Fact]
    public void SaysWhenTheFirstLineOfABootTimeDomainCame()
    {
        _domain.Domain.Boot = new BootOrigin { Exists = true, StartedAt = SystemTime.Now() - 7_000_000 };
        Write("on");
        Send();
        Assert.Empty(Printed());
        Write("e\ntwo\n");
        Send();
        Assert.Matches(@"^\[web7\] one\n\[web7\] two\n\[boot\] domain 'web7': first line 7 ms after its building began, \d+ ms of them its kernel's own\n$", Printed());
        Write("three\n");
        Send();
        Assert.Equal("[web7] three\n", Printed());
    }

    [Fact]
    public void BreaksALineThatNeverEnds()
    {
        Write(new string('x', 300));
        Send();
        Assert.Equal($"[web7] {new string('x', 255)}\n", Printed());
    }

    [Fact]
    public void PrintsTheLastPartOfALineWhenTheDomainEnds()
    {
        Write("last words");
        DomainConsoles.End(ref _domain.Domain);
        Assert.Equal("[web7] last words\n", Printed());
    }

    /// <summary>Random texts in random pieces, events now and then: all of it is printed, in order, once.</summary>
    [Fact]
    public void LosesNothingOfWhatAGuestWrites()
    {
        Random random = new(1);
        StringBuilder written = new();
        StringBuilder printed = new();
        for (int round = 0; round < 3000; round++)
        {
            uint room = ConsoleRingPage.OutputBytes - (Word(OutputProduced) - Word(OutputConsumed));
            StringBuilder piece = new();
            for (int i = random.Next((int)room + 1); i > 0; i--)
            {
                piece.Append(random.Next(30) == 0 ? '\n' : (char)('a' + random.Next(26)));
            }

            Write(piece.ToString());
            written.Append(piece);
            Send();
            Pass(random.Next(20_000_000));
            printed.Append(Printed());
        }

        while (Word(OutputConsumed) != Word(OutputProduced))
        {
            Pass(10_000_000);
            printed.Append(Printed());
        }

        DomainConsoles.End(ref _domain.Domain);
        printed.Append(Printed());
        Assert.Equal(written.ToString().Replace("\n", string.Empty, StringComparison.Ordinal), Unprefixed(printed.ToString()));
    }

    /// <summary>A flood is printed at its rate: neither more in a second, nor anything lost.</summary>
    [Fact]
    public void HoldsAFloodBack()
    {
        ulong begin = ConsoleRing.Produced;
        for (int round = 0; round < 1000; round++)
        {
            Fill('x');
            Send();
            Pass(1_000_000);
        }

        ulong inFirstSecond = ConsoleRing.Produced - begin;
        Assert.InRange(inFirstSecond, 64UL * 1024, 90UL * 1024);
        for (int round = 0; round < 1000; round++)
        {
            Fill('x');
            Send();
            Pass(1_000_000);
        }

        Assert.InRange(ConsoleRing.Produced - begin - inFirstSecond, 14UL * 1024, 20UL * 1024);
    }

    /// <summary>One event prints a bounded amount, whatever the indices say.</summary>
    [Fact]
    public void SurvivesAnyContentsOfTheRing()
    {
        Random random = new(2);
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(PhysicalMemory.Bytes(_ring).Slice(0, 3072));
            PhysicalMemory.Word32(_ring, 3072 + (random.Next(4) * 4)) = random.Next(3) switch { 0 => (uint)random.Next(), 1 => Word(OutputConsumed) + (uint)random.Next(3000), _ => uint.MaxValue };
            ulong before = ConsoleRing.Produced;
            Send();
            Assert.InRange(ConsoleRing.Produced - before, 0UL, 512UL * 9);
            DomainConsoles.PutInput(1, (byte)round);
            DomainConsoles.NotifyInput(1);
            Pass(random.Next(3_000_000));
            _read = Math.Max(_read, ConsoleRing.Produced - ConsoleRing.Bytes);
            foreach (char letter in Printed())
            {
                Assert.True(letter is '\n' or '\t' || (letter >= ' ' && letter != 0x7F));
            }
        }
    }

    [Fact]
    public void GivesKeysToTheGuestUntilItsRingIsFull()
    {
        for (int i = 0; i < 1100; i++)
        {
            DomainConsoles.PutInput(1, (byte)i);
        }

        Assert.Equal(1024u, Word(InputProduced));
        PhysicalMemory.Word32(_ring, InputConsumed) = 1000;
        DomainConsoles.PutInput(1, (byte)'k');
        Assert.Equal(1025u, Word(InputProduced));
        Assert.Equal((byte)'k', PhysicalMemory.Byte(_ring, 0));
        DomainConsoles.NotifyInput(1);
        Assert.NotEqual(0UL, PhysicalMemory.Word(_domain.Domain.SharedInfo, SharedInfoLayout.EventPending / 8) & (1UL << (int)_port));
    }

    /// <summary>The hypervisor writes to the page for as long as the console is there: it cannot become anything else.</summary>
    [Fact]
    public void KeepsItsPageFromBecomingATableOrAnybodyElses()
    {
        Assert.True(_domain.Pin(_ring, 1) < 0);
        ulong free = Hypervisor.Memory.FrameAllocator.FreeFrames;
        _domain.Decrease(_ring);
        Assert.Equal(free, Hypervisor.Memory.FrameAllocator.FreeFrames);
        Write("still mine\n");
        Send();
        Assert.Equal("[web7] still mine\n", Printed());
    }

    [Fact]
    public void IsSilentOnceTheGuestHasClosedItsPort()
    {
        _domain.Store32(0, _port);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 3, _domain.Arguments));
        Write("nobody hears\n");
        _domain.Store32(0, _port);
        Assert.Equal(-(long)XenError.Invalid, _domain.Call(HypercallNumber.EventChannelOp, 4, _domain.Arguments));
        DomainConsoles.NotifyInput(1);
        Assert.Empty(Printed());
    }

    [Fact]
    public void PrintsWhatTheHypercallSaysAsLinesOfTheDomain()
    {
        "early\nword"u8.CopyTo(_domain.ArgumentBytes);
        Assert.Equal(0, _domain.Call(HypercallNumber.ConsoleIo, 0, 10, _domain.Arguments));
        Assert.Equal("[web7] early\n", Printed());
        Assert.Equal(-(long)XenError.NotPermitted, _domain.Call(HypercallNumber.ConsoleIo, 1, 10, _domain.Arguments));
    }

    /// <summary>A domain whose console a toolstack serves has no say on the machine's.</summary>
    [Fact]
    public void RefusesTheHypercallToOtherDomains()
    {
        TestDomain other = TestDomain.CreateOther(2);
        Assert.Equal(-(long)XenError.NotPermitted, other.Call(HypercallNumber.ConsoleIo, 0, 10, other.Arguments));
    }

    private static string Unprefixed(string text)
        => text.Replace("[web7] ", string.Empty, StringComparison.Ordinal).Replace("\n", string.Empty, StringComparison.Ordinal);

    private static void Pass(int nanoseconds)
    {
        FakeCpu.Tsc += (ulong)nanoseconds;
        Timers.OnInterrupt();
    }

    private uint Word(int offset) => PhysicalMemory.Word32(_ring, offset);

    private void Fill(char letter) => Write(new string(letter, (int)(ConsoleRingPage.OutputBytes - (Word(OutputProduced) - Word(OutputConsumed)))));

    /// <summary>As a guest does; there is room.</summary>
    private void Write(string text)
    {
        foreach (char letter in text)
        {
            PhysicalMemory.Byte(_ring, 1024 + (int)(Word(OutputProduced) % 2048)) = (byte)letter;
            PhysicalMemory.Word32(_ring, OutputProduced)++;
        }
    }

    private void Send()
    {
        _domain.Store32(0, _port);
        Assert.Equal(0, _domain.Call(HypercallNumber.EventChannelOp, 4, _domain.Arguments));
    }

    /// <summary>What has been printed since it was last asked.</summary>
    private string Printed()
    {
        StringBuilder text = new();
        for (; _read < ConsoleRing.Produced; _read++)
        {
            text.Append((char)ConsoleRing.At(_read));
        }

        return text.ToString();
    }
}
