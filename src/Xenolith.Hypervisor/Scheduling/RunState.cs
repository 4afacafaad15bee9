// How a vcpu has spent its time, as the guest is told.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Running 0, runnable 1, blocked 2, offline 3 (public vcpu.h, RUNSTATE_*).</summary>
internal static class RunState
{
    internal const int Running = 0;
    internal const int Runnable = 1;
    internal const int Blocked = 2;
    internal const int Offline = 3;

    private const ulong UpdateFlagAssist = 1 << 5;
    private const ulong UpdateFlag = 1UL << 63;

    internal static void Change(ref Vcpu vcpu, int state)
    {
        ulong now = SystemTime.Now();
        ulong spent = now - vcpu.Time.RunStateEntered;
        switch (vcpu.Time.RunState)
        {
            case Running: vcpu.Time.Running += spent; break;
            case Runnable: vcpu.Time.Runnable += spent; break;
            case Blocked: vcpu.Time.Blocked += spent; break;
            default: vcpu.Time.Offline += spent; break;
        }

        vcpu.Time.RunState = state;
        vcpu.Time.RunStateEntered = now;
    }

    internal static VcpuRunstateInfo Read(ref Vcpu vcpu) => new()
    {
        State = vcpu.Time.RunState,
        EntryTime = vcpu.Time.RunStateEntered,
        Running = vcpu.Time.Running,
        Runnable = vcpu.Time.Runnable,
        Blocked = vcpu.Time.Blocked,
        Offline = vcpu.Time.Offline,
    };

    /// <summary>Copies the account of the loaded vcpu to where its kernel wants it; in user mode that has to wait.</summary>
    internal static void Publish(ref Vcpu vcpu)
    {
        if (vcpu.Time.RunstateArea == 0)
        {
            return;
        }

        if (vcpu.Context.InKernel == 0)
        {
            vcpu.Context.Work |= VcpuWork.Runstate;
            return;
        }

        VcpuRunstateInfo info = Read(ref vcpu);
        GuestAddress area = new(vcpu.Time.RunstateArea);
        if ((vcpu.Domain.Assists & UpdateFlagAssist) != 0)
        {
            GuestMemory.TryWrite(area.Add(8), info.EntryTime | UpdateFlag);
        }

        GuestMemory.TryWrite(area, in info);
    }
}
