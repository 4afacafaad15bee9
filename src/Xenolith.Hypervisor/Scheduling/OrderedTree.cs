// Vcpus in the order of a time, to be searched by a mask.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>
/// A search tree that is also a heap by fixed random priorities (a treap), so it is about as deep as the logarithm of its size. Each
/// node knows the masks below it: the first of all vcpus that may use a processor is found in one way down. Equal times stay in the
/// order in which they came.
/// </summary>
internal static class OrderedTree<TNodes>
    where TNodes : struct, ITreeNodes
{
    internal static void Insert(ref int root, int index, ulong key, ulong mask)
    {
        int link = index + 1;
        ref TreeNode node = ref At(link);
        node.Key = key;
        node.Mask = mask;
        node.Below = mask;
        node.Left = 0;
        node.Right = 0;
        node.Parent = 0;
        node.Priority = PriorityOf(link);
        int at = root;
        if (at == 0)
        {
            root = link;
            return;
        }

        while (true)
        {
            ref TreeNode parent = ref At(at);
            parent.Below |= mask;
            int next = key < parent.Key ? parent.Left : parent.Right;
            if (next == 0)
            {
                break;
            }

            at = next;
        }

        node.Parent = at;
        ref TreeNode last = ref At(at);
        if (key < last.Key)
        {
            last.Left = link;
        }
        else
        {
            last.Right = link;
        }

        while (node.Parent != 0 && At(node.Parent).Priority < node.Priority)
        {
            Lift(ref root, link);
        }
    }

    /// <summary>Takes out a vcpu that is in the tree.</summary>
    internal static void Remove(ref int root, int index)
    {
        int link = index + 1;
        ref TreeNode node = ref At(link);
        while (node.Left != 0 && node.Right != 0)
        {
            Lift(ref root, At(node.Left).Priority > At(node.Right).Priority ? node.Left : node.Right);
        }

        int child = node.Left | node.Right;
        int parent = node.Parent;
        Replace(ref root, parent, link, child);
        if (child != 0)
        {
            At(child).Parent = parent;
        }

        node.Left = 0;
        node.Right = 0;
        node.Parent = 0;
        node.Priority = 0;
        while (parent != 0)
        {
            ref TreeNode above = ref At(parent);
            Sum(ref above);
            parent = above.Parent;
        }
    }

    /// <summary>Gives a vcpu that is in the tree another time.</summary>
    internal static void Move(ref int root, int index, ulong key)
    {
        ref TreeNode node = ref At(index + 1);
        if (node.IsAlone)
        {
            node.Key = key;
            return;
        }

        ulong mask = node.Mask;
        Remove(ref root, index);
        Insert(ref root, index, key, mask);
    }

    /// <summary>Whether any vcpu of the tree has one of the mask's bits.</summary>
    internal static bool Any(int root, ulong mask) => root != 0 && (At(root).Below & mask) != 0;

    /// <summary>The first vcpu with one of the mask's bits, or -1.</summary>
    internal static int First(int root, ulong mask)
    {
        if (!Any(root, mask))
        {
            return -1;
        }

        int at = root;
        while (true)
        {
            ref TreeNode node = ref At(at);
            if (node.Left != 0 && (At(node.Left).Below & mask) != 0)
            {
                at = node.Left;
            }
            else if ((node.Mask & mask) != 0)
            {
                return at - 1;
            }
            else
            {
                at = node.Right;
            }
        }
    }

    /// <summary>The next after one that is in the tree, with one of the mask's bits, or -1.</summary>
    internal static int Next(int index, ulong mask)
    {
        int at = index + 1;
        int right = At(at).Right;
        while (!Any(right, mask))
        {
            int parent = At(at).Parent;
            if (parent == 0)
            {
                return -1;
            }

            bool wasLeft = At(parent).Left == at;
            at = parent;
            if (wasLeft && (At(at).Mask & mask) != 0)
            {
                return at - 1;
            }

            right = wasLeft ? At(at).Right : 0;
        }

        return First(right, mask);
    }

    private static ref TreeNode At(int link) => ref default(TNodes).At(link - 1);

    /// <summary>Different for each slot and without pattern (the steps of a common integer hash).</summary>
    private static uint PriorityOf(int link)
    {
        uint value = (uint)link * 0x9E37_79B1;
        value = (value ^ (value >> 15)) * 0x85EB_CA77;
        return (value ^ (value >> 13)) | 1;
    }

    /// <summary>Turns the tree so that the node comes to stand above its parent.</summary>
    private static void Lift(ref int root, int link)
    {
        ref TreeNode node = ref At(link);
        int parentLink = node.Parent;
        ref TreeNode parent = ref At(parentLink);
        int between;
        if (parent.Left == link)
        {
            between = node.Right;
            parent.Left = between;
            node.Right = parentLink;
        }
        else
        {
            between = node.Left;
            parent.Right = between;
            node.Left = parentLink;
        }

        if (between != 0)
        {
            At(between).Parent = parentLink;
        }

        node.Parent = parent.Parent;
        parent.Parent = link;
        Replace(ref root, node.Parent, parentLink, link);
        node.Below = parent.Below;
        Sum(ref parent);
    }

    /// <summary>Puts another child, or none, in the place of one.</summary>
    private static void Replace(ref int root, int parent, int child, int other)
    {
        if (parent == 0)
        {
            root = other;
        }
        else if (At(parent).Left == child)
        {
            At(parent).Left = other;
        }
        else
        {
            At(parent).Right = other;
        }
    }

    private static void Sum(ref TreeNode node)
    {
        ulong below = node.Mask;
        below |= node.Left != 0 ? At(node.Left).Below : 0;
        below |= node.Right != 0 ? At(node.Right).Below : 0;
        node.Below = below;
    }
}
