// What processors can do, as lists of CPUID leaves and registers.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>get_cpu_policy of sysctl; get_cpu_policy and set_cpu_policy of domctl.</summary>
internal static class CpuPolicyOperations
{
    /// <summary>Room for all leaves of a policy, and for its registers.</summary>
    internal const uint MaximumLeaves = 96;
    internal const uint MaximumMsrs = 2;

    private const uint ExtendedStart = 0x8000_0000;
    private const uint ExtendedLast = 0x8000_0008;
    private const uint HypervisorStart = 0x4000_0000;
    private const uint HypervisorSecond = 0x4000_0100;
    private const uint BasicLast = 0xD;
    private const uint PlatformInfo = 0xCE;
    private const uint ArchitectureCapabilities = 0x10A;

    /// <summary>
    /// A policy of the machine. Domain 0's is that of paravirtual domains, default and highest alike. Null lists ask for the room
    /// that is needed. Errors: Fault, Invalid (no such policy), NotSupported (of full virtualization), NoBufferSpace.
    /// </summary>
    internal static XenError GetOfMachine(ref Domain caller, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out SystemCpuPolicy request))
        {
            return XenError.Fault;
        }

        if (request.Index > SystemCpuPolicy.HvmDefault || request.Reserved != 0)
        {
            return XenError.Invalid;
        }

        if (request.Index is SystemCpuPolicy.HvmMaximum or SystemCpuPolicy.HvmDefault)
        {
            return XenError.NotSupported;
        }

        bool isGuests = request.Index is SystemCpuPolicy.PvMaximum or SystemCpuPolicy.PvDefault;
        XenError error = TryList(ref caller, isGuests, request.Leaves, ref request.LeafCount, request.Msrs, ref request.MsrCount);
        return error == XenError.None && !GuestMemory.TryWrite(at, in request) ? XenError.Fault : error;
    }

    /// <summary>Errors: Fault, NoBufferSpace.</summary>
    internal static XenError GetOfDomain(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out DomainCpuPolicy request))
        {
            return XenError.Fault;
        }

        XenError error = TryList(ref control.Domain, true, request.Leaves, ref request.LeafCount, request.Msrs, ref request.MsrCount);
        return error == XenError.None && !GuestMemory.TryWrite(at, in request) ? XenError.Fault : error;
    }

    /// <summary>
    /// Takes features away from a domain that has not run yet. Errors: Fault, Exists (it has run), TooBig (a longer list than there can
    /// be), Invalid (more than this machine has; the culprit is written back).
    /// </summary>
    internal static XenError SetOfDomain(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out DomainCpuPolicy request))
        {
            return XenError.Fault;
        }

        if (control.Domain.Settings.HasStarted)
        {
            return XenError.Exists;
        }

        if (request.LeafCount > MaximumLeaves || request.MsrCount > MaximumMsrs)
        {
            return XenError.TooBig;
        }

        request.BadLeaf = request.BadSubleaf = request.BadMsr = uint.MaxValue;
        XenError error = TryRead(ref request, out DomainFeatures features);
        if (error == XenError.None)
        {
            control.Domain.Features = features;
        }

        return error == XenError.Invalid && !GuestMemory.TryWrite(at, in request) ? XenError.Fault : error;
    }

    private static XenError TryRead(ref DomainCpuPolicy request, out DomainFeatures features)
    {
        features = DomainFeatures.All();
        for (uint i = 0; i < request.LeafCount; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(request.Leaves + (i * 24UL)), out CpuIdLeaf leaf))
            {
                return XenError.Fault;
            }

            CpuIdResult value = new() { Eax = leaf.Eax, Ebx = leaf.Ebx, Ecx = leaf.Ecx, Edx = leaf.Edx };
            bool isLimit = leaf.Leaf is 0 or ExtendedStart;
            if (!IsKnown(leaf.Leaf) || (isLimit && leaf.Eax > Math.Max(CpuId.Query(leaf.Leaf).Eax, leaf.Leaf)))
            {
                request.BadLeaf = leaf.Leaf;
                request.BadSubleaf = leaf.Subleaf;
                return XenError.Invalid;
            }

            features.Set(leaf.Leaf, leaf.Subleaf == CpuIdLeaf.NoSubleaf ? 0 : leaf.Subleaf, value);
        }

        for (uint i = 0; i < request.MsrCount; i++)
        {
            if (!GuestMemory.TryRead(new GuestAddress(request.Msrs + (i * 16UL)), out MsrEntry entry))
            {
                return XenError.Fault;
            }

            if (entry.Flags != 0 || entry.Value != 0 || entry.Index is not (PlatformInfo or ArchitectureCapabilities))
            {
                request.BadMsr = entry.Index;
                return XenError.Invalid;
            }
        }

        return XenError.None;
    }

    private static bool IsKnown(uint leaf)
        => leaf is <= BasicLast or HypervisorStart or HypervisorSecond or (>= ExtendedStart and <= ExtendedStart + 0x21);

    private static XenError TryList(ref Domain domain, bool isGuests, ulong leaves, ref uint leafCount, ulong msrs, ref uint msrCount)
    {
        if (leaves == 0 && msrs == 0)
        {
            leafCount = MaximumLeaves;
            msrCount = MaximumMsrs;
            return XenError.None;
        }

        if (leaves != 0)
        {
            CpuIdLeafList list = new(leaves, leafCount);
            ListLeaves(ref list, ref domain, isGuests);
            leafCount = list.Count;
            if (list.Error != XenError.None)
            {
                return list.Error;
            }
        }

        return msrs == 0 ? XenError.None : TryListMsrs(msrs, ref msrCount);
    }

    private static XenError TryListMsrs(ulong msrs, ref uint count)
    {
        if (count < MaximumMsrs)
        {
            return XenError.NoBufferSpace;
        }

        count = MaximumMsrs;
        MsrEntry first = new() { Index = PlatformInfo };
        MsrEntry second = new() { Index = ArchitectureCapabilities };
        return GuestMemory.TryWrite(new GuestAddress(msrs), in first) && GuestMemory.TryWrite(new GuestAddress(msrs + 16), in second)
            ? XenError.None : XenError.Fault;
    }

    private static void ListLeaves(ref CpuIdLeafList list, ref Domain domain, bool isGuests)
    {
        uint last = Math.Min(Query(ref domain, isGuests, 0, 0).Eax, BasicLast);
        for (uint leaf = 0; leaf <= last; leaf++)
        {
            uint subleaves = leaf switch
            {
                4 => 6,
                7 => Math.Min(Query(ref domain, isGuests, 7, 0).Eax + 1, 2),
                0xB => 2,
                0xD => 63,
                _ => 0,
            };
            if (subleaves == 0)
            {
                list.Add(leaf, CpuIdLeaf.NoSubleaf, Query(ref domain, isGuests, leaf, 0));
            }

            for (uint subleaf = 0; subleaf < subleaves; subleaf++)
            {
                list.Add(leaf, subleaf, Query(ref domain, isGuests, leaf, subleaf));
            }
        }

        list.Add(HypervisorStart, CpuIdLeaf.NoSubleaf, default);
        list.Add(HypervisorSecond, CpuIdLeaf.NoSubleaf, default);
        last = Math.Min(Query(ref domain, isGuests, ExtendedStart, 0).Eax, ExtendedLast);
        for (uint leaf = ExtendedStart; leaf <= last; leaf++)
        {
            list.Add(leaf, CpuIdLeaf.NoSubleaf, Query(ref domain, isGuests, leaf, 0));
        }
    }

    private static CpuIdResult Query(ref Domain domain, bool isGuests, uint leaf, uint subleaf)
        => isGuests ? Traps.GuestCpuId.Query(ref domain, 0, leaf, subleaf) : CpuId.Query(leaf, subleaf);
}
