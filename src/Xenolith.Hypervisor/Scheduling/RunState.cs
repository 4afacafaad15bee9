// How a vcpu has spent its time, as the guest is told.
using System.Threading;
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
    private const ulong EntryTimeOffset = 8;

    internal static void Change(ref Vcpu vcpu, int state, ulong now)
    {
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

    /// <summary>The account with the time of the present state up to now.</summary>
    internal static VcpuRunstateInfo ReadNow(ref Vcpu vcpu)
    {
        VcpuRunstateInfo info = Read(ref vcpu);
        ulong spent = SystemTime.Now() - info.EntryTime;
        switch (info.State)
        {
            case Running: info.Running += spent; break;
            case Runnable: info.Runnable += spent; break;
            case Blocked: info.Blocked += spent; break;
            default: info.Offline += spent; break;
        }

        return info;
    }

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
        if ((vcpu.Domain.Assists & UpdateFlagAssist) == 0)
        {
            GuestMemory.TryWrite(area, in info);
            return;
        }

        // Other vcpus of the guest may read meanwhile: the flag stands before the first change and goes after the last.
        ulong entered = info.EntryTime;
        info.EntryTime = entered | UpdateFlag;
        GuestMemory.TryWrite(area.Add(EntryTimeOffset), info.EntryTime);
        Interlocked.MemoryBarrier();
        GuestMemory.TryWrite(area, in info);
        Interlocked.MemoryBarrier();
        GuestMemory.TryWrite(area.Add(EntryTimeOffset), entered);
    }
}
