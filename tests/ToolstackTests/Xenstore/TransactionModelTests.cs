// Random operations of several clients, in and out of transactions, against the reference.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using Xenolith.UnitTests.Support;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class TransactionModelTests
{
    private sealed record Step(XenstoreOperation Operation, string Payload, string Answer)
    {
        public string Path => Payload.Split('|')[0];
    }

    private sealed class OpenTransaction(Connection client, uint id, ReferenceStore start, int time)
    {
        public Connection Client { get; } = client;

        public uint Id { get; } = id;

        public ReferenceStore View { get; } = start;

        public int Time { get; } = time;

        public List<Step> Steps { get; } = [];
    }

    // When which part of a node was changed last, by a commit or outside of transactions.
    private sealed class History
    {
        public Dictionary<string, int> Existence { get; } = [];

        public Dictionary<string, int> Value { get; } = [];

        public Dictionary<string, int> Permissions { get; } = [];

        public static bool Since(Dictionary<string, int> when, string path, int time) => when.TryGetValue(path, out int last) && last > time;
    }

    private static readonly XenstoreOperation[] Operations =
        [Read, Read, Write, Write, Write, XenstoreOperation.Directory, MakeDirectory, XenstoreOperation.Remove, GetPermissions, SetPermissions];

    private static readonly string[] Paths = ["/", "/a", "/a/x", "/a/x/1", "/a/x/2", "/a/y", "/b", "/b/x", "/b/x/1", "/g", "/g/x", "/g/x/1", "/g/y"];

    public static IEnumerable<TheoryDataRow<int>> Seeds => Soak.Seeds(1, 25);

    [Theory]
    [MemberData(nameof(Seeds))]
    [Trait(Soak.Kind, Soak.Random)]
    public void CommittedTransactionsAreAsIfRunAtOnceAndOnlyTrueConflictsFail(int seed)
    {
        Random random = new(seed);
        TestStore store = new();
        ReferenceStore reference = new();
        Connection[] clients = [store.Domain0, store.Machine.ConnectSocket(), store.Introduce(5), store.Introduce(6)];
        store.Ask(store.Domain0, XenstoreOperation.Remove, "/local|");
        store.Ask(store.Domain0, XenstoreOperation.Remove, "/tool|");
        List<OpenTransaction> transactions = [];
        History history = new();
        int committed = 0, refused = 0;
        for (int time = 1; time <= 400; time++)
        {
            int what = random.Next(20);
            if (what == 0 && transactions.Count < 6)
            {
                Connection client = clients[random.Next(clients.Length)];
                transactions.Add(new(client, store.Start(client), reference.Copy(), time));
            }
            else if (what == 1 && transactions.Count > 0)
            {
                OpenTransaction ending = transactions[random.Next(transactions.Count)];
                transactions.Remove(ending);
                bool commit = random.Next(5) > 0;
                string answer = store.Ask(ending.Client, TransactionEnd, commit ? "T|" : "F|", ending.Id);
                if (!commit)
                {
                    Assert.Equal("OK", answer);
                    continue;
                }
                if (answer == "OK")
                {
                    Assert.False(MustConflict(ending, history), $"time {time}: a lost update");
                    foreach (Step step in ending.Steps)
                    {
                        Apply(reference, ending.Client, step, history, time);
                    }
                    committed++;
                }
                else
                {
                    Assert.Equal("EAGAIN", answer);
                    Assert.True(MayConflict(ending, history), $"time {time}: nothing that {string.Join(' ', ending.Steps)} used has changed");
                    refused++;
                }
            }
            else
            {
                (XenstoreOperation operation, string payload) = RandomRequest(random, time);
                OpenTransaction? transaction = random.Next(3) > 0 && transactions.Count > 0 ? transactions[random.Next(transactions.Count)] : null;
                Connection client = transaction?.Client ?? clients[random.Next(clients.Length)];
                string answer = store.Ask(client, operation, payload, transaction?.Id ?? 0);
                if (payload == "/|" && operation == XenstoreOperation.Remove)
                {
                    Assert.True(answer is "EINVAL" or "EACCES");
                    continue;
                }
                Step step = new(operation, payload, answer);
                if (transaction is null)
                {
                    Apply(reference, client, step, history, time);
                }
                else
                {
                    Assert.Equal((time, step, transaction.View.Ask(client.Domain, operation, payload)), (time, step, answer));
                    transaction.Steps.Add(step);
                }
            }
        }
        Assert.Equal(reference.Dump().Order(StringComparer.Ordinal), Dump(store, "/").Order(StringComparer.Ordinal));
        Assert.Equal("OK", store.Ask(store.Domain0, Control, "check|"));
        Assert.True(committed + refused > 0);
    }

    // Carries a request out on the reference, which has to answer the same, and notes what it has changed.
    private static void Apply(ReferenceStore reference, Connection client, Step step, History history, int time)
    {
        HashSet<string> before = [.. reference.Dump().Select(line => line.Split('=')[0])];
        Assert.Equal((time, step, step.Answer), (time, step, reference.Ask(client.Domain, step.Operation, step.Payload)));
        HashSet<string> after = [.. reference.Dump().Select(line => line.Split('=')[0])];
        before.SymmetricExceptWith(after);
        foreach (string path in before)
        {
            history.Existence[path] = time;
        }
        if (step.Answer == "OK" && step.Operation == Write)
        {
            history.Value[step.Path] = time;
        }
        if (step.Answer == "OK" && step.Operation == SetPermissions)
        {
            history.Permissions[step.Path] = time;
        }
    }

    private static bool MustConflict(OpenTransaction transaction, History history) => transaction.Steps.Any(step =>
        step.Operation is Read or Write && step.Answer != "EACCES" && History.Since(history.Value, step.Path, transaction.Time));

    private static bool MayConflict(OpenTransaction transaction, History history) => transaction.Steps.Any(step =>
    {
        for (string path = step.Path; ; path = ReferenceStore.Parent(path))
        {
            if (History.Since(history.Existence, path, transaction.Time) || History.Since(history.Permissions, path, transaction.Time))
            {
                return true;
            }
            if (path == "/")
            {
                break;
            }
        }
        bool Below(string path) => path.StartsWith(step.Path.TrimEnd('/') + "/", StringComparison.Ordinal);
        return step.Operation switch
        {
            Read or Write => History.Since(history.Value, step.Path, transaction.Time),
            XenstoreOperation.Directory => history.Existence.Any(entry => ReferenceStore.Parent(entry.Key) == step.Path && entry.Value > transaction.Time),
            XenstoreOperation.Remove => history.Existence.Concat(history.Value).Concat(history.Permissions)
                .Any(entry => (Below(entry.Key) || entry.Key == step.Path) && entry.Value > transaction.Time),
            _ => false,
        };
    });

    private static (XenstoreOperation Operation, string Payload) RandomRequest(Random random, int time)
    {
        XenstoreOperation operation = Operations[random.Next(Operations.Length)];
        string path = Paths[random.Next(Paths.Length)];
        return (operation, operation switch
        {
            Write => $"{path}|v{time}",
            SetPermissions => $"{path}|{"nrwb"[random.Next(4)]}{(path.StartsWith("/g", StringComparison.Ordinal) ? 5 : 0)}|{"nrwb"[random.Next(4)]}{random.Next(5, 7)}|",
            _ => path + "|",
        });
    }

    private static IEnumerable<string> Dump(TestStore store, string path)
    {
        string Ask(XenstoreOperation operation) => store.Ask(store.Domain0, operation, path + "|");
        yield return $"{path}={Ask(Read)} {Ask(GetPermissions).Replace('|', ',')}";
        foreach (string name in Ask(XenstoreOperation.Directory).Split('|', StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (string line in Dump(store, XenstorePath.Combine(path, name)))
            {
                yield return line;
            }
        }
    }
}
