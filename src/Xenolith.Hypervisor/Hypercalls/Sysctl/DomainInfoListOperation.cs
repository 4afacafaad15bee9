// sysctl: the records of all domains.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>getdomaininfolist: domains in the order of their ids, from a first one on.</summary>
internal static class DomainInfoListOperation
{
    private const ulong RecordBytes = 112;
    private const int CountShift = 16;

    /// <summary>Error: Fault.</summary>
    internal static HypercallResult Handle(ref HypercallCall call, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out DomainInfoList request))
        {
            return HypercallResult.From(XenError.Fault);
        }

        // The next id, and how many were stored.
        uint progress = Progress.Read(ref call);
        uint count = progress >> CountShift;
        int next = DomainInfoOperations.Next(Math.Max(request.First, (int)(ushort)progress));
        Preemption preemption = Preemption.Start();
        bool isFirst = true;
        while (next >= 0 && count < request.Maximum)
        {
            if (!isFirst && preemption.IsNeeded)
            {
                return Progress.ContinueAt(ref call, (uint)next | (count << CountShift));
            }

            DomainInfo info = DomainInfoOperations.Describe(ref DomainTable.At(next));
            if (!GuestMemory.TryWrite(new GuestAddress(request.Buffer + (count * RecordBytes)), in info))
            {
                Progress.End(ref call);
                return HypercallResult.From(XenError.Fault);
            }

            isFirst = false;
            count++;
            next = DomainInfoOperations.Next(next + 1);
        }

        request.Count = count;
        Progress.End(ref call);
        return GuestMemory.TryWrite(at, in request) ? HypercallResult.Success : HypercallResult.From(XenError.Fault);
    }
}
