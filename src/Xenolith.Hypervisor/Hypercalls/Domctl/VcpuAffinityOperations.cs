// domctl: which processors a vcpu may use.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>setvcpuaffinity and getvcpuaffinity: hard (it runs nowhere else) and soft (it had better run there).</summary>
internal static class VcpuAffinityOperations
{
    private const uint KnownFlags = VcpuAffinity.HardFlag | VcpuAffinity.SoftFlag | VcpuAffinity.ForceFlag;

    /// <summary>What holds from now on is written back. Errors: Fault, Invalid (vcpu, flags, no processor that exists), Busy (pinned).</summary>
    internal static XenError Set(DomainControl control, GuestAddress at)
    {
        XenError error = TryDecode(control, at, out VcpuAffinity wanted, out int index);
        if (error != XenError.None)
        {
            return error;
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        ulong hard = vcpu.Schedule.HardAffinity;
        ulong soft = vcpu.Schedule.SoftAffinity;
        bool setsHard = (wanted.Flags & VcpuAffinity.HardFlag) != 0;
        bool setsSoft = (wanted.Flags & VcpuAffinity.SoftFlag) != 0;
        if ((setsHard && !Bitmaps.TryRead(in wanted.Hard, out hard)) || (setsSoft && !Bitmaps.TryRead(in wanted.Soft, out soft)))
        {
            return XenError.Fault;
        }

        if (setsHard)
        {
            if ((wanted.Flags & VcpuAffinity.ForceFlag) != 0 && vcpu.Schedule.IsPinned)
            {
                SchedulerParameters.TryUnpin(ref vcpu);
            }

            error = SchedulerParameters.TrySetHardAffinity(ref vcpu, hard, out hard);
            if (error != XenError.None)
            {
                return error;
            }
        }

        if (setsSoft)
        {
            SchedulerParameters.SetSoftAffinity(ref vcpu, soft, out soft);
        }

        bool done = (!setsHard || Bitmaps.TryWrite(in wanted.Hard, hard)) && (!setsSoft || Bitmaps.TryWrite(in wanted.Soft, soft));
        return done ? XenError.None : XenError.Fault;
    }

    /// <summary>Errors: Fault, Invalid (vcpu, flags).</summary>
    internal static XenError Get(DomainControl control, GuestAddress at)
    {
        XenError error = TryDecode(control, at, out VcpuAffinity wanted, out int index);
        if (error != XenError.None)
        {
            return error;
        }

        VcpuSchedule schedule = VcpuTable.At(index).Schedule;
        bool done = ((wanted.Flags & VcpuAffinity.HardFlag) == 0 || Bitmaps.TryWrite(in wanted.Hard, schedule.HardAffinity))
            && ((wanted.Flags & VcpuAffinity.SoftFlag) == 0 || Bitmaps.TryWrite(in wanted.Soft, schedule.SoftAffinity));
        return done ? XenError.None : XenError.Fault;
    }

    private static XenError TryDecode(DomainControl control, GuestAddress at, out VcpuAffinity wanted, out int index)
    {
        index = -1;
        if (!GuestMemory.TryRead(at, out wanted))
        {
            return XenError.Fault;
        }

        index = control.Domain.VcpuIndex(wanted.Vcpu);
        bool asks = (wanted.Flags & (VcpuAffinity.HardFlag | VcpuAffinity.SoftFlag)) != 0;
        return index < 0 || !asks || (wanted.Flags & ~KnownFlags) != 0 ? XenError.Invalid : XenError.None;
    }
}
