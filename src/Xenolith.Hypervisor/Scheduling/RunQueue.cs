// The vcpus that want a processor and have none.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Domains;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>One queue for all processors, in the order of virtual time. A vcpu's mask in it are the processors that it may use.</summary>
internal static class RunQueue
{
    /// <summary>How much further on, in virtual nanoseconds, a vcpu may be that prefers the processor to one that does not.</summary>
    private const ulong PreferenceNanoseconds = 2_000_000;

    private static int s_root;

    // How many of them prefer some of their processors.
    private static int s_particular;

    internal static void Clear()
    {
        s_root = 0;
        s_particular = 0;
    }

    internal static void Add(ref Vcpu vcpu)
    {
        ref VcpuSchedule schedule = ref vcpu.Schedule;
        OrderedTree<Nodes>.Insert(ref s_root, vcpu.Index, schedule.VirtualTime, schedule.Allowed);
        s_particular += schedule.Preferred != schedule.Allowed ? 1 : 0;
    }

    /// <summary>Takes a vcpu out that is in the queue.</summary>
    internal static void Remove(ref Vcpu vcpu)
    {
        OrderedTree<Nodes>.Remove(ref s_root, vcpu.Index);
        s_particular -= vcpu.Schedule.Preferred != vcpu.Schedule.Allowed ? 1 : 0;
    }

    /// <summary>Whether somebody waits for one of the processors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool HasWork(ulong processors) => OrderedTree<Nodes>.Any(s_root, processors);

    /// <summary>The vcpu that the processor should run next, or -1.</summary>
    internal static int First(ulong processor)
    {
        int first = OrderedTree<Nodes>.First(s_root, processor);
        return s_particular == 0 || first < 0 ? first : FirstPreferring(first, processor);
    }

    /// <summary>Passes over vcpus that would rather run elsewhere, for one that is not much further on. Looks at a few only.</summary>
    private static int FirstPreferring(int first, ulong processor)
    {
        const int Looks = 4;
        ulong latest = VcpuTable.At(first).Schedule.VirtualTime + PreferenceNanoseconds;
        int at = first;
        for (int look = 0; look < Looks && at >= 0 && VcpuTable.At(at).Schedule.VirtualTime <= latest; look++)
        {
            if ((VcpuTable.At(at).Schedule.Preferred & processor) != 0)
            {
                return at;
            }

            at = OrderedTree<Nodes>.Next(at, processor);
        }

        return first;
    }

    private struct Nodes : ITreeNodes
    {
        public readonly ref TreeNode At(int index) => ref VcpuTable.At(index).Schedule.Node;
    }
}
