// What a killed server leaves is what the next one knows.

using System.Text;
using Xenod.Xenstore;
using Xenod.Xenstore.Journal;
using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using Xenolith.UnitTests.Support;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class JournalTests
{
    private sealed class KilledException : Exception;

    public static IEnumerable<TheoryDataRow<int>> Seeds => Soak.Seeds(1, 3);

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void EveryPrefixOfTheJournalIsTheStateAtThatTime(int seed)
    {
        Random random = new(seed);
        MemoryJournal journal = new();
        TestStore rings = new();
        JournaledStore store = JournaledStore.Open(journal, rings, StoreLimits.Default);
        List<Connection> connections = [store.ConnectSocket(), store.ConnectDomain0(0, 3, default)];
        List<(int Length, byte[] State)> states = [];
        void Remember()
        {
            store.Flush();
            states.Add((journal.Bytes.Count, TestStore.State(store.Machine)));
        }
        Remember();
        for (int i = 0; i < 120; i++)
        {
            RandomInput(random, store, connections, Remember);
            Remember();
        }
        byte[] bytes = journal.Read();
        for (int i = 0; i + 1 < states.Count; i++)
        {
            for (int cut = states[i].Length; cut < states[i + 1].Length; cut = random.Next(cut + 1, states[i + 1].Length + 1))
            {
                Assert.Equal(states[i].State, TestStore.State(JournaledStore.Replay(bytes.AsSpan(0, cut), StoreLimits.Default)));
            }
        }
        Assert.Equal(states[^1].State, TestStore.State(JournaledStore.Replay(bytes, StoreLimits.Default)));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void ASnapshotIsTheWholeState(int seed)
    {
        Random random = new(seed);
        JournaledStore store = JournaledStore.Open(new MemoryJournal(), new TestStore(), StoreLimits.Default);
        List<Connection> connections = [store.ConnectSocket(), store.ConnectDomain0(0, 3, default)];
        for (int i = 0; i < 100; i++)
        {
            for (int inputs = 0; inputs < 10; inputs++)
            {
                RandomInput(random, store, connections, () => { });
            }
            byte[] state = TestStore.State(store.Machine);
            StoreMachine copy = new(StoreLimits.Default, new TestStore());
            RecordReader reader = new(state);
            copy.Load(ref reader);
            Assert.True(reader.AtEnd);
            Assert.Equal(state, TestStore.State(copy));
            Assert.Equal(store.Machine.Tree.Owned.OrderBy(owned => owned.Key), copy.Tree.Owned.OrderBy(owned => owned.Key));
        }
    }

    [Fact]
    public void ADamagedRecordAndAllBehindItAreLeftOut()
    {
        MemoryJournal journal = new();
        JournaledStore store = JournaledStore.Open(journal, new TestStore(), StoreLimits.Default);
        Connection connection = store.ConnectSocket();
        Ask(store, connection, Write, "/a|1");
        store.Flush();
        int whole = journal.Bytes.Count;
        byte[] state = TestStore.State(store.Machine);
        Ask(store, connection, Write, "/a|2");
        store.Flush();
        Ask(store, connection, Write, "/a|3");
        store.Flush();
        for (int i = 0; i < 16; i++)
        {
            byte[] damaged = journal.Read();
            damaged[whole + i] ^= 0x40;
            Assert.Equal(state, TestStore.State(JournaledStore.Replay(damaged, StoreLimits.Default)));
        }
    }

    [Fact]
    public void AJournalOfAnotherFormatIsRefused()
    {
        RecordWriter writer = new();
        writer.Begin();
        writer.Byte(1);
        writer.Byte(200);
        writer.End();
        MemoryJournal journal = new();
        journal.Append(writer.Written);
        Assert.Throws<InvalidDataException>(() => JournaledStore.Open(journal, new TestStore(), StoreLimits.Default));
    }

    [Fact]
    public void TheJournalStaysSmall()
    {
        MemoryJournal journal = new();
        JournaledStore store = JournaledStore.Open(journal, new TestStore(), StoreLimits.Default);
        Connection connection = store.ConnectSocket();
        string value = new('v', 1000);
        int most = 0;
        for (int i = 0; i < 9000; i++)
        {
            Ask(store, connection, Write, $"/a|{i}{value}");
            store.Flush();
            most = Math.Max(most, journal.Bytes.Count);
        }
        Assert.InRange(most, 4 << 20, 5 << 20);
        Assert.StartsWith("8999", Encoding.ASCII.GetString(JournaledStore.Replay(journal.Read(), StoreLimits.Default).Tree.Find("/a")!.Value));
    }

    // The server's own faults must not come back with the journal.
    [Fact]
    public void ARequestThatCannotBeHandledEndsItsConnectionOnly()
    {
        RingWorld world = new(domain0: true);
        world.Introduce(5);
        world.Core.Store.Machine.Log = _ => throw new InvalidOperationException("a fault");
        world.Guests[0].Send(XenstoreHeader.Format(Control, 1, 0, "print\0x\0"u8));
        world.Guests[0].WriteSome(4096);
        world.Run();
        Assert.True(world.Connection(0).Broken);
        Assert.Equal("OK|", world.Ask(5, Write, "x|1"));
        world.Restart();
        world.Run();
        Assert.True(world.Connection(0).Broken);
        Assert.Equal("1", world.Ask(5, Read, "x|"));
    }

    [Fact]
    public void ReadingOfASocketIsNotNoted()
    {
        MemoryJournal journal = new();
        JournaledStore store = JournaledStore.Open(journal, new TestStore(), StoreLimits.Default);
        Connection connection = store.ConnectSocket();
        store.Flush();
        int length = journal.Bytes.Count;
        Ask(store, connection, Read, "/|");
        Ask(store, connection, XenstoreOperation.Directory, "/|");
        store.Flush();
        Assert.Equal(length, journal.Bytes.Count);
    }

    [Fact]
    public void AJournalThatCannotBeWrittenIsSaidAndTriedAgain()
    {
        MemoryJournal journal = new();
        JournaledStore store = JournaledStore.Open(journal, new TestStore(), StoreLimits.Default);
        List<string> log = [];
        store.Log = log.Add;
        Connection connection = store.ConnectSocket();
        journal.BeforeWrite = () => throw new IOException("full");
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal("OK", Ask(store, connection, Write, $"/a|{i}"));
            store.Flush();
        }
        Assert.Single(log);
        journal.BeforeWrite = null;
        for (int i = 0; i < 600; i++)
        {
            Ask(store, connection, Write, $"/a|{i}");
            store.Flush();
        }
        Assert.Equal(2, log.Count);
        Assert.Equal(TestStore.State(store.Machine), TestStore.State(JournaledStore.Replay(journal.Read(), StoreLimits.Default)));
    }

    [Fact]
    public void SocketsEndWithTheProcessAndWatchesOfDomainsFire()
    {
        RingWorld world = new(domain0: true);
        world.Introduce(5);
        Assert.Equal("OK|", world.Ask(0, XenstoreOperation.Watch, "/a|t|"));
        Assert.Equal("OK|", world.Ask(5, XenstoreOperation.Watch, "x|t|"));
        string transaction = world.Ask(5, TransactionStart, "|").TrimEnd('|');
        Assert.Equal("OK|", world.Ask(5, Write, "x|in transaction", uint.Parse(transaction)));
        world.Guests[5].Messages.Clear();
        world.Restart();
        world.Run();
        world.Guests[5].ReadSome(4096);
        Assert.Equal(["x|t|"], world.Guests[5].Messages.Select(message => message.Text));
        Assert.Equal([0U, 5U], world.Core.Store.Machine.Connections.Keys);
        Assert.Equal("OK|", world.Ask(5, TransactionEnd, "T|", uint.Parse(transaction)));
        Assert.Equal("in transaction", world.Ask(5, Read, "x|"));
        Assert.Equal(6U, world.Host.Ports[5]);
    }

    // The process dies before the n-th thing that it does to a ring or the journal, for every n; the guests go on as if nothing was.
    [Fact]
    public void AServerMayBeKilledAtAnyTimeAndEachRequestIsAnsweredOnce()
    {
        int steps = RunScript(int.MaxValue);
        Assert.InRange(steps, 200, 20000);
        for (int kill = 0; kill < steps; kill++)
        {
            RunScript(kill);
        }
    }

    [Fact]
    public void AServerMayBeKilledAgainAndAgain()
    {
        for (int seed = 1; seed <= 40; seed++)
        {
            Random random = new(seed);
            RunScript(random.Next(5, 400), () => random.Next(100, 600));
        }
    }

    // None of the requests could be made twice, or left out, without another answer.
    private static readonly (XenstoreOperation Operation, string Payload, uint Transaction, string Answer)[] Script =
    [
        (XenstoreOperation.Watch, "w|t|", 0, "OK|"),
        (XenstoreOperation.Watch, "w|t|", 0, "EEXIST|"),
        (Unwatch, "w|t|", 0, "OK|"),
        (Unwatch, "w|t|", 0, "ENOENT|"),
        (TransactionStart, "|", 0, "1|"),
        (Write, "a|" + new string('a', 1500), 1, "OK|"),
        (TransactionStart, "|", 0, "2|"),
        (Write, "b|1", 2, "OK|"),
        (TransactionEnd, "T|", 1, "OK|"),
        (TransactionEnd, "T|", 1, "ENOENT|"),
        (Read, "a|", 0, new string('a', 1500)),
        (Write, "b|2", 0, "OK|"),
        (TransactionEnd, "T|", 2, "EAGAIN|"),
        (Write, "c/d|1", 0, "OK|"),
        (Remove, "c|", 0, "OK|"),
        (Remove, "c/d|", 0, "ENOENT|"),
        (TransactionStart, "|", 0, "3|"),
    ];

    private static int RunScript(int killAt, Func<int>? again = null)
    {
        RingWorld world = new();
        world.Introduce(5);
        world.Introduce(6);
        int steps = 0;
        int next = killAt;
        void Step()
        {
            if (steps++ == next)
            {
                next = again is null ? -1 : steps + again();
                throw new KilledException();
            }
        }
        world.Journal.BeforeWrite = Step;
        world.Host.BeforeNotify = Step;
        foreach (FakePage page in world.Host.Pages.Values)
        {
            page.BeforeAccess = Step;
        }
        uint request = 0;
        foreach ((XenstoreOperation operation, string payload, uint transaction, _) in Script)
        {
            request++;
            foreach (LinuxGuest guest in world.Guests.Values)
            {
                guest.Send(XenstoreHeader.Format(operation, request, transaction, Encoding.ASCII.GetBytes(payload.Replace('|', '\0'))));
            }
        }
        for (int idle = 0; idle < 5; idle++)
        {
            bool moved = false;
            foreach (LinuxGuest guest in world.Guests.Values)
            {
                moved |= guest.WriteSome(300);
                moved |= guest.ReadSome(400);
            }
            moved |= RunOrRestart(world);
            idle = moved ? -1 : idle;
        }
        foreach (LinuxGuest guest in world.Guests.Values)
        {
            Received[] replies = [.. guest.Messages.Where(message => message.Operation != WatchEvent)];
            Assert.Equal(
                Script.Select((line, i) => (killAt, (uint)i + 1, line.Answer)),
                replies.Select(reply => (killAt, reply.Request, reply.Text)));
        }
        return steps;
    }

    private static bool RunOrRestart(RingWorld world)
    {
        bool killed = false;
        while (true)
        {
            try
            {
                if (killed)
                {
                    world.Restart();
                }
                world.Run();
                return killed;
            }
            catch (KilledException)
            {
                killed = true;
            }
        }
    }

    private static string Ask(JournaledStore store, Connection connection, XenstoreOperation operation, string payload)
    {
        Send(store, connection, XenstoreHeader.Format(operation, 1, 0, Encoding.ASCII.GetBytes(payload.Replace('|', '\0'))), () => { });
        byte[] bytes = new byte[connection.QueuedBytes];
        connection.Peek(bytes);
        store.Sent(connection, bytes.Length);
        List<Received> messages = [];
        TestStore.Parse(bytes, messages);
        return messages[0].Text.TrimEnd('|');
    }

    private static void Send(JournaledStore store, Connection connection, ReadOnlySpan<byte> bytes, Action afterEach)
    {
        while (!bytes.IsEmpty)
        {
            int length = Math.Min(connection.Needed, bytes.Length);
            store.Receive(connection, bytes[..length]);
            afterEach();
            bytes = bytes[length..];
        }
    }

    private static void RandomInput(Random random, JournaledStore store, List<Connection> sockets, Action afterEach)
    {
        Connection[] all = [.. store.Machine.Connections.Values];
        Connection connection = all[random.Next(all.Length)];
        switch (random.Next(40))
        {
            case 0:
                sockets.Add(store.ConnectSocket());
                break;
            case 1 when connection.IsSocket && all.Count(other => other.IsSocket) > 1:
                store.DisconnectSocket(connection);
                break;
            case 2:
                store.DomainShutDown((uint)random.Next(1, 8));
                break;
            case 3:
                store.DomainGone((uint)random.Next(1, 8));
                break;
            case 4 when connection.Domain != 0:
                store.Break(connection);
                break;
            case 5:
                uint domain = (uint)random.Next(1, 8);
                Connection? toolstack = all.FirstOrDefault(other => other.IsSocket && other.PartialLength == 0);
                if (toolstack is not null)
                {
                    Send(store, toolstack, XenstoreHeader.Format(Introduce, 1, 0, Encoding.ASCII.GetBytes($"{domain}\0{domain}\0{domain}\0")), afterEach);
                }
                break;
            case < 15:
                if (connection.QueuedBytes > 0)
                {
                    store.Sent(connection, random.Next(1, connection.QueuedBytes + 1));
                }
                break;
            default:
                byte[] message = FuzzTests.RandomMessage(random);
                if (!connection.IsSocket && connection.PartialLength == 0 && random.Next(4) == 0)
                {
                    // The rest comes later, or something else in its place.
                    message = message[..random.Next(1, message.Length)];
                }
                Send(store, connection, message, afterEach);
                break;
        }
    }
}
