// The table of all vcpus and, beside it, the contexts that the entry path uses.
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Vcpu slots by global index.</summary>
public static class VcpuTable
{
    /// <summary>How many vcpus can exist at once over all domains.</summary>
    public const int Capacity = 8192;

    private const int None = -1;

    private static GrowableTable<Vcpu> s_vcpus;
    private static GrowableTable<VcpuContext> s_contexts;

    // Head of the list of slots that have been given back; it goes on through Vcpu.Index.
    private static int s_free = None;

    /// <summary>Slots that have been used; no vcpu has an index from here on.</summary>
    public static int Count { get; private set; }

    /// <summary>Takes two empty tables, which grow with the vcpus.</summary>
    public static void Initialize(GrowableTable<Vcpu> vcpus, GrowableTable<VcpuContext> contexts)
    {
        s_vcpus = vcpus;
        s_contexts = contexts;
        s_free = None;
        Count = 0;
    }

    public static ref Vcpu At(int index) => ref s_vcpus[index];

    public static ref VcpuContext Context(int index) => ref s_contexts[index];

    /// <summary>Whether the slot is a vcpu's.</summary>
    internal static bool IsTaken(int index) => s_vcpus[index].DomainId != DomainIds.Invalid;

    /// <summary>A cleared slot with its context and its descriptor window. False: no memory, or too many vcpus.</summary>
    internal static bool TryTake(out int index)
    {
        index = s_free;
        if (index != None)
        {
            s_free = s_vcpus[index].Index;
        }
        else if (Count < Capacity && TryGrow())
        {
            index = Count++;
        }
        else
        {
            return false;
        }

        s_vcpus[index] = default;
        s_contexts[index] = default;
        s_vcpus[index].Index = index;
        s_contexts[index].Index = index;
        DescriptorWindow.Prepare(index);
        return true;
    }

    /// <summary>Gives a slot back to which nothing refers any more.</summary>
    internal static void Release(int index)
    {
        s_vcpus[index].Index = s_free;
        s_vcpus[index].DomainId = DomainIds.Invalid;
        s_free = index;
    }

    /// <summary>Memory for the slot after the last one.</summary>
    private static bool TryGrow()
    {
        while (s_vcpus.Count <= Count || s_contexts.Count <= Count || DescriptorWindow.Count <= Count)
        {
            if (!DomainFrames.TryAllocateOwn(out Mfn frame))
            {
                return false;
            }

            if (s_vcpus.Count <= Count)
            {
                s_vcpus.Add(frame);
            }
            else if (s_contexts.Count <= Count)
            {
                s_contexts.Add(frame);
            }
            else
            {
                DescriptorWindow.AddTable(frame);
            }
        }

        return true;
    }
}
