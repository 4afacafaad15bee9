// Pools and shares of processors.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Operations on pools, and a domain's share.</summary>
public sealed class SchedulingOperations
{
    // Fewer pools than this many have ever been asked for; the loop over them ends by itself.
    private const int MostProcessors = 4096;

    private readonly Caller _caller;

    internal SchedulingOperations(Caller caller) => _caller = caller;

    /// <summary>All pools.</summary>
    public IReadOnlyList<PoolInformation> GetPools()
    {
        List<PoolInformation> pools = [];
        using HypercallBuffer bitmap = _caller.Hypervisor.Rent(MostProcessors / 8);
        uint next = 0;
        while (true)
        {
            bitmap.Bytes.Clear();
            CpuPoolOp request = new() { Operation = CpuPoolOp.Info, Pool = next, Processors = Bitmap(bitmap) };
            XenError error = _caller.TrySysctl(SysctlCommand.CpuPoolOp, ref request);
            if (error == XenError.NoEntry)
            {
                return pools;
            }

            if (error != XenError.None)
            {
                throw XenException.For("cpupool_op", error);
            }

            pools.Add(new PoolInformation(request.Pool, (SchedulerKind)request.Scheduler, (int)request.DomainCount, VcpuOperations.ReadBitmap(bitmap.Bytes, MostProcessors)));
            next = request.Pool + 1;
        }
    }

    /// <summary>Processors that belong to no pool.</summary>
    public IReadOnlyList<int> GetFreeProcessors()
    {
        using HypercallBuffer bitmap = _caller.Hypervisor.Rent(MostProcessors / 8);
        _caller.Sysctl(SysctlCommand.CpuPoolOp, "cpupool_op", new CpuPoolOp { Operation = CpuPoolOp.FreeInfo, Processors = Bitmap(bitmap) });
        return VcpuOperations.ReadBitmap(bitmap.Bytes, MostProcessors);
    }

    /// <summary>The scheduler that the machine started with.</summary>
    public SchedulerKind GetScheduler() => (SchedulerKind)_caller.Sysctl(SysctlCommand.SchedulerId, "sched_id", 0U);

    /// <summary>A domain's share of the processors; null under a scheduler that has no weights.</summary>
    public SchedulerShare? GetShare(ushort domain)
    {
        SchedulerKind kind = GetScheduler();
        if (kind is not (SchedulerKind.Credit or SchedulerKind.Credit2))
        {
            return null;
        }

        DomainSchedulerOp answer = _caller.Domctl(DomctlCommand.SchedulerOp, "scheduler_op", domain, new DomainSchedulerOp { Scheduler = (uint)kind, Command = DomainSchedulerOp.Get });
        return new SchedulerShare(answer.Weight, answer.Cap);
    }

    /// <summary>Sets a domain's share of the processors.</summary>
    /// <exception cref="XenException">The scheduler has no such weight or cap.</exception>
    public void SetShare(ushort domain, SchedulerShare share)
    {
        DomainSchedulerOp request = new() { Scheduler = (uint)GetScheduler(), Command = DomainSchedulerOp.Put, Weight = (ushort)share.Weight, Cap = (ushort)share.Cap };
        _caller.Domctl(DomctlCommand.SchedulerOp, "scheduler_op", domain, request);
    }

    private static ControlBitmap Bitmap(HypercallBuffer buffer) => new() { Buffer = buffer.Address, Bits = MostProcessors };
}

/// <summary>A pool of processors.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Scheduler">Who divides it.</param>
/// <param name="Domains">How many domains are in it.</param>
/// <param name="Processors">What belongs to it.</param>
public sealed record PoolInformation(uint Id, SchedulerKind Scheduler, int Domains, IReadOnlyList<int> Processors);

/// <summary>A domain's share under contention.</summary>
/// <param name="Weight">In proportion to the others'; 256 is the usual one.</param>
/// <param name="Cap">Most percent of one processor; 0: no limit.</param>
public readonly record struct SchedulerShare(int Weight, int Cap);

/// <summary>Schedulers (XEN_SCHEDULER_*).</summary>
public enum SchedulerKind : uint
{
    /// <summary>Credit, the first of that name.</summary>
    Credit = 5,

    /// <summary>Credit2.</summary>
    Credit2 = 6,

    /// <summary>For partitions of fixed time.</summary>
    Arinc653 = 7,

    /// <summary>Earliest deadline first.</summary>
    RealTime = 8,

    /// <summary>One vcpu for each processor.</summary>
    Null = 9,
}
