// vcpu_op.
using Xenolith.Abi;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Hypervisor.Traps;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Hypercalls;

/// <summary>Hypercall 24. RDI = operation, RSI = vcpu id, RDX = arguments (public vcpu.h).</summary>
internal static class VcpuOpHypercall
{
    private const ulong MinimumPeriod = 1_000_000;
    private const ulong RunstateBytes = 48;
    private const ulong TimeInfoBytes = 32;

    internal static HypercallResult Handle(ref HypercallCall call)
    {
        TlbClock.Settle();
        int index = call.Argument1 < Domain.MaximumVcpus ? call.Domain.VcpuIndex((uint)call.Argument1) : -1;
        if (index < 0)
        {
            return HypercallResult.From(XenError.NoEntry);
        }

        ref Vcpu vcpu = ref VcpuTable.At(index);
        GuestAddress at = new(call.Argument2);
        bool isCaller = index == call.Vcpu.Index;
        switch (call.Argument0)
        {
            case 0: return Initialize(ref call.Vcpu, ref vcpu, at);
            case 1: return HypercallResult.From(Up(ref vcpu));
            case 2:
                Down(ref call.Domain, ref vcpu);
                return HypercallResult.Success;
            case 3: return HypercallResult.Done(vcpu.Schedule.IsUp ? 1 : 0);
            case 4:
                VcpuRunstateInfo runstate = RunState.ReadNow(ref vcpu);
                return HypercallResult.From(GuestMemory.TryWrite(at, in runstate) ? XenError.None : XenError.Fault);
            case 5: return HypercallResult.From(RegisterRunstate(ref vcpu, at, isCaller));
            case 6: return HypercallResult.From(SetPeriodic(ref vcpu, at));
            case 7:
                vcpu.Time.PeriodicNext = 0;
                Timers.Update(ref vcpu);
                return HypercallResult.Success;
            case 8: return HypercallResult.From(isCaller ? SetSingleShot(ref vcpu, at) : XenError.Invalid);
            case 9:
                if (!isCaller)
                {
                    return HypercallResult.From(XenError.Invalid);
                }

                vcpu.Time.SingleShot = 0;
                Timers.Update(ref vcpu);
                return HypercallResult.Success;
            case 10: return HypercallResult.From(RegisterInfo(ref vcpu, at, isCaller));
            case 11:
                if (call.Argument2 != 0)
                {
                    return HypercallResult.From(XenError.Invalid);
                }

                vcpu.Traps.NmiPending = true;
                vcpu.Context.Work |= VcpuWork.Nmi;
                Scheduler.Wake(ref vcpu);
                return HypercallResult.Success;

            // Only a vcpu that is pinned to a processor for good could be told which one it is.
            case 12: return HypercallResult.From(XenError.Invalid);
            case 13: return HypercallResult.From(RegisterTime(ref vcpu, at, isCaller));
            default: return HypercallResult.From(XenError.NotImplemented);
        }
    }

    private static HypercallResult Initialize(ref Vcpu caller, ref Vcpu vcpu, GuestAddress at)
    {
        if (vcpu.IsInitialized)
        {
            return HypercallResult.From(XenError.Exists);
        }

        Preemption preemption = Preemption.Start();
        XenError error = VcpuContextLoader.TryLoad(ref caller, ref vcpu, at, false, ref preemption);
        return error == XenError.Restart ? HypercallResult.Continue : HypercallResult.From(error);
    }

    private static XenError Up(ref Vcpu vcpu)
    {
        if (!vcpu.IsInitialized)
        {
            return XenError.Invalid;
        }

        if (!vcpu.Schedule.IsUp)
        {
            Scheduler.Up(ref vcpu);
        }

        return XenError.None;
    }

    /// <summary>When the last vcpu goes down, so does the domain.</summary>
    private static void Down(ref Domain domain, ref Vcpu vcpu)
    {
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            if (id != (uint)vcpu.Id && VcpuTable.At(domain.VcpuIndex(id)).Schedule.IsUp)
            {
                Scheduler.Down(ref vcpu);
                return;
            }
        }

        DomainShutdown.Request(ref vcpu, ShutdownReason.PowerOff);
    }

    private static XenError RegisterRunstate(ref Vcpu vcpu, GuestAddress at, bool isCaller)
    {
        if (!GuestMemory.TryRead(at, out ulong area) || !new GuestAddress(area).IsGuestRange(RunstateBytes))
        {
            return XenError.Fault;
        }

        vcpu.Time.RunstateArea = area;
        if (isCaller)
        {
            RunState.Publish(ref vcpu);
            return XenError.None;
        }

        VcpuRunstateInfo info = RunState.ReadNow(ref vcpu);
        GuestMemory.TryWrite(new GuestAddress(area), in info);
        return XenError.None;
    }

    private static XenError RegisterTime(ref Vcpu vcpu, GuestAddress at, bool isCaller)
    {
        if (!GuestMemory.TryRead(at, out ulong area) || !new GuestAddress(area).IsGuestRange(TimeInfoBytes))
        {
            return XenError.Fault;
        }

        vcpu.Time.TimeArea = area;
        if (isCaller)
        {
            VcpuClock.Update(ref vcpu);
        }

        return XenError.None;
    }

    private static XenError RegisterInfo(ref Vcpu vcpu, GuestAddress at, bool isCaller)
    {
        if (!GuestMemory.TryRead(at, out ulong frame) || !GuestMemory.TryRead(at.Add(8), out uint offset))
        {
            return XenError.Fault;
        }

        if (!VcpuInfoPage.IsPlace(offset))
        {
            return XenError.NoAddress;
        }

        if (!isCaller && vcpu.Schedule.IsUp)
        {
            return XenError.Invalid;
        }

        XenError error = VcpuInfoPage.Register(ref vcpu, new Mfn(frame), offset);
        if (error == XenError.None)
        {
            VcpuClock.Update(ref vcpu);
        }

        return error;
    }

    private static XenError SetPeriodic(ref Vcpu vcpu, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong period))
        {
            return XenError.Fault;
        }

        if (period < MinimumPeriod || period > long.MaxValue)
        {
            return XenError.Invalid;
        }

        vcpu.Time.PeriodicInterval = period;
        vcpu.Time.PeriodicNext = SystemTime.Now() + period;
        Timers.Update(ref vcpu);
        return XenError.None;
    }

    private static XenError SetSingleShot(ref Vcpu vcpu, GuestAddress at)
    {
        if (!GuestMemory.TryRead(at, out ulong deadline))
        {
            return XenError.Fault;
        }

        SetSingleShot(ref vcpu, deadline);
        return XenError.None;
    }

    /// <summary>A time in the past raises the timer's VIRQ at once.</summary>
    internal static void SetSingleShot(ref Vcpu vcpu, ulong deadline)
    {
        if (deadline <= SystemTime.Now())
        {
            vcpu.Time.SingleShot = 0;
            Timers.Update(ref vcpu);
            EventPorts.RaiseVirq(ref vcpu, VirtualIrq.Timer);
            return;
        }

        vcpu.Time.SingleShot = deadline;
        Timers.Update(ref vcpu);
    }
}
