// Many nodes and watches cost what they have to, counted in objects and bytes and not in time.

using Xenod.Xenstore.Machine;
using Xenolith.Toolstack.Xenstore;
using static Xenolith.Toolstack.Xenstore.XenstoreOperation;

namespace ToolstackTests.Xenstore;

public class ScaleTests
{
    [Fact]
    public void AWriteAmongManyNodesAndWatchesAllocatesLittleMoreThanAmongFew()
    {
        long few = BytesPerWrite(nodes: 100, watches: 20);
        long many = BytesPerWrite(nodes: 10_000, watches: 2_000);
        Assert.InRange(many, 1, 4 * few);
    }

    [Fact]
    public void ATransactionAmongManyNodesAllocatesLittleMoreThanAmongFew()
    {
        long few = BytesPerTransaction(100);
        long many = BytesPerTransaction(10_000);
        Assert.InRange(many, 1, 4 * few);
    }

    [Fact]
    public void RemovingManyNodesIsProportionalToThem()
    {
        long few = BytesPerRemoval(1_000);
        long many = BytesPerRemoval(10_000);
        Assert.InRange(many, 1, 20 * few);
    }

    private static long BytesPerWrite(int nodes, int watches)
    {
        TestStore store = Filled(nodes);
        Connection watcher = store.Machine.ConnectSocket();
        for (int i = 0; i < watches; i++)
        {
            store.Ask(watcher, XenstoreOperation.Watch, $"{Name(i)}/state|{i}|");
        }
        store.Events(watcher);
        long bytes = Measure(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                Write(store, $"{Name(i % 20)}/state\0{i}");
            }
        });
        Assert.Equal(20, store.Events(watcher).Count);
        return bytes / 1000;
    }

    private static long BytesPerTransaction(int nodes)
    {
        TestStore store = Filled(nodes);
        return Measure(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                uint transaction = store.Start(store.Domain0);
                store.Ask(store.Domain0, Read, $"{Name(i % 20)}|", transaction);
                store.Ask(store.Domain0, XenstoreOperation.Write, $"{Name(i % 20)}|{i}", transaction);
                Assert.Equal("OK", store.Ask(store.Domain0, TransactionEnd, "T|", transaction));
            }
        }) / 500;
    }

    private static long BytesPerRemoval(int nodes)
    {
        TestStore store = Filled(nodes);
        return Measure(() => Assert.Equal("OK", store.Ask(store.Domain0, Remove, "/local|")));
    }

    private static string Name(int i) => $"/local/domain/{i % 100}/device/{i / 100}";

    private static TestStore Filled(int nodes)
    {
        TestStore store = new();
        for (int i = 0; i < nodes; i++)
        {
            Write(store, $"{Name(i)}/state\0{1}");
        }
        return store;
    }

    private static void Write(TestStore store, string payload)
    {
        byte[] bytes = new byte[payload.Length];
        System.Text.Encoding.ASCII.GetBytes(payload, bytes);
        store.Send(store.Domain0, XenstoreHeader.Format(XenstoreOperation.Write, 1, 0, bytes));
        store.Machine.Sent(store.Domain0, store.Domain0.QueuedBytes);
    }

    private static long Measure(Action work)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        work();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
