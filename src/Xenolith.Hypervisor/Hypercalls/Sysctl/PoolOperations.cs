// sysctl: the pool of processors and its scheduler.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>cpupool_op, sched_id, scheduler_op. There is one pool, number 0, with all processors and all domains. All can fail with Fault.</summary>
internal static class PoolOperations
{
    internal static XenError GetSchedulerId(GuestAddress at) => Answer(GuestMemory.TryWrite(at, SchedulerParameters.Id));

    /// <summary>Errors: NoEntry (no such pool), NotSupported (what would make or change one), NotImplemented.</summary>
    internal static XenError Handle(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out CpuPoolOp request))
        {
            return XenError.Fault;
        }

        switch (request.Operation)
        {
            case CpuPoolOp.Info:
                if (request.Pool != 0)
                {
                    return XenError.NoEntry;
                }

                request.Scheduler = SchedulerParameters.Id;
                request.DomainCount = (uint)DomainTable.Living;
                return Answer(Bitmaps.TryWrite(in request.Processors, ProcessorTable.Online) && GuestMemory.TryWrite(at, in request));
            case CpuPoolOp.FreeInfo:
                return Answer(Bitmaps.TryWrite(in request.Processors, 0));
            case CpuPoolOp.MoveDomain when request.Pool == 0:
                return DomainTable.Exists(request.Domain) ? XenError.None : XenError.NoSuchDomain;
            case CpuPoolOp.Create or CpuPoolOp.Destroy or CpuPoolOp.AddProcessor or CpuPoolOp.RemoveProcessor or CpuPoolOp.MoveDomain:
                return XenError.NotSupported;
            default:
                return XenError.NotImplemented;
        }
    }

    /// <summary>Errors: NoSuchDomain (no such pool), Invalid (another scheduler, a value out of range).</summary>
    internal static XenError HandleScheduler(GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out PoolSchedulerOp request))
        {
            return XenError.Fault;
        }

        if (request.Pool != 0)
        {
            return XenError.NoSuchDomain;
        }

        if (request.Scheduler != SchedulerParameters.Id || request.Command > PoolSchedulerOp.Get)
        {
            return XenError.Invalid;
        }

        if (request.Command == PoolSchedulerOp.Put)
        {
            return SchedulerParameters.TrySetRateLimit(request.RateLimit);
        }

        request.RateLimit = SchedulerParameters.RateLimit;
        return Answer(GuestMemory.TryWrite(at, in request));
    }

    private static XenError Answer(bool done) => done ? XenError.None : XenError.Fault;
}
