// What CPUID says to a domain.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Policies of the machine and of domains.</summary>
public sealed class CpuPolicyOperations
{
    private readonly Caller _caller;

    internal CpuPolicyOperations(Caller caller) => _caller = caller;

    /// <summary>A policy of the machine: <see cref="SystemCpuPolicy.Host"/>, <see cref="SystemCpuPolicy.PvDefault"/> and so on.</summary>
    /// <exception cref="UnsupportedOperationException">The machine has no domains of that kind.</exception>
    public CpuPolicy GetOfMachine(uint index)
    {
        const string Operation = "get_cpu_policy";
        SystemCpuPolicy size = _caller.Sysctl(SysctlCommand.GetCpuPolicy, Operation, new SystemCpuPolicy { Index = index });
        using PolicyBuffers buffers = new(_caller.Hypervisor, size.LeafCount, size.MsrCount);
        SystemCpuPolicy answer = _caller.Sysctl(SysctlCommand.GetCpuPolicy, Operation, new SystemCpuPolicy
        {
            Index = index,
            LeafCount = size.LeafCount,
            MsrCount = size.MsrCount,
            Leaves = buffers.Leaves.Address,
            Msrs = buffers.Msrs.Address,
        });
        return buffers.Read(answer.LeafCount, answer.MsrCount);
    }

    /// <summary>A domain's policy.</summary>
    public CpuPolicy Get(ushort domain)
    {
        SystemCpuPolicy size = _caller.Sysctl(SysctlCommand.GetCpuPolicy, "get_cpu_policy", new SystemCpuPolicy { Index = SystemCpuPolicy.PvDefault });
        using PolicyBuffers buffers = new(_caller.Hypervisor, size.LeafCount, size.MsrCount);
        DomainCpuPolicy answer = _caller.Domctl(DomctlCommand.GetCpuPolicy, "get_cpu_policy", domain, buffers.Request(size.LeafCount, size.MsrCount));
        return buffers.Read(answer.LeafCount, answer.MsrCount);
    }

    /// <summary>Gives a domain that has not run yet a policy; what the policy does not name stays.</summary>
    /// <exception cref="XenException">The processors cannot do that; the message names the leaf.</exception>
    public void Set(ushort domain, CpuPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        using PolicyBuffers buffers = new(_caller.Hypervisor, (uint)policy.Leaves.Count, (uint)policy.Msrs.Count);
        for (int i = 0; i < policy.Leaves.Count; i++)
        {
            buffers.Leaves.As<CpuIdLeaf>()[i] = policy.Leaves[i];
        }

        for (int i = 0; i < policy.Msrs.Count; i++)
        {
            buffers.Msrs.As<MsrEntry>()[i] = policy.Msrs[i];
        }

        DomainCpuPolicy request = buffers.Request((uint)policy.Leaves.Count, (uint)policy.Msrs.Count);
        ushort id = domain;
        XenError error = _caller.TryDomctl(DomctlCommand.SetCpuPolicy, ref id, ref request);
        if (error == XenError.Invalid)
        {
            string where = request.BadMsr != uint.MaxValue ? $"register 0x{request.BadMsr:x}" : $"leaf 0x{request.BadLeaf:x}, subleaf 0x{request.BadSubleaf:x}";
            throw XenException.For("set_cpu_policy", error, domain, $"the processors cannot do what it says at {where}", "Take away features that the machine's own policy does not have.");
        }

        if (error != XenError.None)
        {
            throw XenException.For("set_cpu_policy", error, domain);
        }
    }

    /// <summary>Words of a feature set of the machine: 0 raw, 1 host, 2 PV.</summary>
    public IReadOnlyList<uint> GetFeatures(uint index)
    {
        const string Operation = "get_cpu_featureset";
        uint count = _caller.Sysctl(SysctlCommand.GetCpuFeatureSet, Operation, new CpuFeatureSet { Index = index }).Count;
        using HypercallBuffer words = _caller.Hypervisor.Rent(HypercallBuffer.SizeOf<uint>(Math.Max(1, (int)count)));
        uint given = _caller.Sysctl(SysctlCommand.GetCpuFeatureSet, Operation, new CpuFeatureSet { Index = index, Count = count, Words = words.Address }).Count;
        return words.As<uint>()[..(int)Math.Min(given, count)].ToArray();
    }

    private sealed class PolicyBuffers(IHypervisor hypervisor, uint leaves, uint msrs) : IDisposable
    {
        internal HypercallBuffer Leaves { get; } = hypervisor.Rent(HypercallBuffer.SizeOf<CpuIdLeaf>(Math.Max(1, (int)leaves)));

        internal HypercallBuffer Msrs { get; } = hypervisor.Rent(HypercallBuffer.SizeOf<MsrEntry>(Math.Max(1, (int)msrs)));

        internal DomainCpuPolicy Request(uint leafCount, uint msrCount)
            => new() { LeafCount = leafCount, MsrCount = msrCount, Leaves = Leaves.Address, Msrs = Msrs.Address };

        internal CpuPolicy Read(uint leafCount, uint msrCount)
            => new(Leaves.As<CpuIdLeaf>()[..(int)Math.Min(leafCount, leaves)].ToArray(), Msrs.As<MsrEntry>()[..(int)Math.Min(msrCount, msrs)].ToArray());

        public void Dispose()
        {
            Leaves.Dispose();
            Msrs.Dispose();
        }
    }
}

/// <summary>Answers of CPUID, and of model-specific registers that belong to them.</summary>
/// <param name="Leaves">Answers of CPUID.</param>
/// <param name="Msrs">Model-specific registers.</param>
public sealed record CpuPolicy(IReadOnlyList<CpuIdLeaf> Leaves, IReadOnlyList<MsrEntry> Msrs);
