// domctl: a domain's share of the processors.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>scheduler_op. The scheduler has the parameters of credit2, under its name.</summary>
internal static class DomainSchedulerOperation
{
    /// <summary>Errors: Fault, Invalid (another scheduler, or a value out of range), NotSupported (parameters of single vcpus).</summary>
    internal static XenError Handle(DomainControl control, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out DomainSchedulerOp request))
        {
            return XenError.Fault;
        }

        if (request.Scheduler != SchedulerParameters.Id)
        {
            return XenError.Invalid;
        }

        switch (request.Command)
        {
            case DomainSchedulerOp.Put:
                return SchedulerParameters.TrySet(ref control.Domain, request.Weight, request.Cap);
            case DomainSchedulerOp.Get:
                request.Weight = (ushort)control.Domain.Schedule.Weight;
                request.Cap = (ushort)control.Domain.Schedule.Cap;
                return GuestMemory.TryWrite(at, in request) ? XenError.None : XenError.Fault;
            case DomainSchedulerOp.PutVcpus or DomainSchedulerOp.GetVcpus:
                return XenError.NotSupported;
            default:
                return XenError.Invalid;
        }
    }
}
