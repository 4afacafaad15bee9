// The table of all vcpus and, beside it, the contexts that the entry path uses.
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Vcpu slots by global index.</summary>
public static class VcpuTable
{
    /// <summary>How many vcpus can exist at once over all domains.</summary>
    public const int Capacity = 128;

    private static Table<Vcpu> s_vcpus;
    private static Table<VcpuContext> s_contexts;

    /// <summary>Puts both tables into cleared frames of the hypervisor.</summary>
    public static void Initialize(Table<Vcpu> vcpus, Table<VcpuContext> contexts)
    {
        s_vcpus = vcpus;
        s_contexts = contexts;
    }

    public static ref Vcpu At(int index) => ref s_vcpus[index];

    public static ref VcpuContext Context(int index) => ref s_contexts[index];
}
