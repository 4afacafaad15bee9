// The tree of vcpus against a sorted list.
using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.UnitTests.Scheduling;

public sealed class OrderedTreeTests
{
    private const int Capacity = 2000;

    private static readonly TreeNode[] s_nodes = new TreeNode[Capacity];
    private static int s_looks;

    public OrderedTreeTests() => Array.Clear(s_nodes);

    [Theory]
    [InlineData(1, 6)]
    [InlineData(2, 60)]
    [InlineData(3, Capacity)]
    public void FindsWhatASortedListFinds(int seed, int slots)
    {
        Random random = new(seed);
        List<(ulong Key, int Index, ulong Mask)> list = [];
        int root = 0;
        for (int step = 0; step < 20_000; step++)
        {
            int index = random.Next(slots);
            int at = list.FindIndex(entry => entry.Index == index);
            ulong key = (ulong)random.Next(50);
            if (at < 0)
            {
                ulong mask = 1UL << random.Next(64) | 1UL << random.Next(64);
                OrderedTree<Nodes>.Insert(ref root, index, key, mask);
                Put(list, (key, index, mask));
            }
            else if (random.Next(3) != 0)
            {
                OrderedTree<Nodes>.Remove(ref root, index);
                list.RemoveAt(at);
            }
            else
            {
                ulong mask = list[at].Mask;
                OrderedTree<Nodes>.Move(ref root, index, key);
                list.RemoveAt(at);
                Put(list, (key, index, mask));
            }

            ulong sought = random.Next(2) == 0 ? 1UL << random.Next(64) : (ulong)random.NextInt64();
            int[] expected = [.. list.Where(entry => (entry.Mask & sought) != 0).Select(entry => entry.Index)];
            Assert.Equal(expected.Length != 0, OrderedTree<Nodes>.Any(root, sought));
            Assert.Equal(expected.Length == 0 ? -1 : expected[0], OrderedTree<Nodes>.First(root, sought));
            if (list.Count != 0)
            {
                int from = random.Next(list.Count);
                int[] later = [.. list.Skip(from + 1).Where(entry => (entry.Mask & sought) != 0).Select(entry => entry.Index)];
                Assert.Equal(later.Length == 0 ? -1 : later[0], OrderedTree<Nodes>.Next(list[from].Index, sought));
            }

            Assert.Equal(list.Any(entry => entry.Index == index), s_nodes[index].IsLinked);
        }
    }

    /// <summary>However the times come, no operation on two thousand vcpus looks at more than a few dozen of them.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void StaysShallow(bool isDescending)
    {
        int root = 0;
        int worst = 0;
        for (int index = 0; index < Capacity; index++)
        {
            s_looks = 0;
            OrderedTree<Nodes>.Insert(ref root, index, (ulong)(isDescending ? Capacity - index : index), 1UL << (index % 64));
            worst = Math.Max(worst, s_looks);
        }

        for (int bit = 0; bit < 64; bit++)
        {
            s_looks = 0;
            Assert.Equal(bit, BitOperations.TrailingZeroCount(s_nodes[OrderedTree<Nodes>.First(root, 1UL << bit)].Mask));
            worst = Math.Max(worst, s_looks);
        }

        for (int index = 0; index < Capacity; index++)
        {
            s_looks = 0;
            OrderedTree<Nodes>.Remove(ref root, index);
            worst = Math.Max(worst, s_looks);
        }

        Assert.Equal(0, root);
        Assert.InRange(worst, 1, 200);
    }

    private static void Put(List<(ulong Key, int Index, ulong Mask)> list, (ulong Key, int Index, ulong Mask) entry)
    {
        int at = list.FindIndex(other => other.Key > entry.Key);
        list.Insert(at < 0 ? list.Count : at, entry);
    }

    private struct Nodes : ITreeNodes
    {
        public readonly ref TreeNode At(int index)
        {
            s_looks++;
            return ref s_nodes[index];
        }
    }
}
