// Keeping a domain from running, and letting it run again.
using Xenolith.Abi;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>The toolstack's pauses are counted; the first one and the last are passed on to the vcpus.</summary>
internal static class DomainPause
{
    private const int Limit = 255;
    private const int Patience = 256;

    /// <summary>Pauses the domain; when it returns, none of the vcpus runs. Error: Overflow (too often).</summary>
    internal static XenError TryPause(ref Domain domain)
    {
        if (domain.Settings.PauseCount >= Limit)
        {
            return XenError.Overflow;
        }

        if (domain.Settings.PauseCount++ == 0)
        {
            PauseVcpus(ref domain);
        }

        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            AwaitRest(ref VcpuTable.At(domain.VcpuIndex(id)));
        }

        return XenError.None;
    }

    /// <summary>Takes one pause back; a new domain begins its life with the first. Error: Invalid (not paused).</summary>
    internal static XenError TryUnpause(ref Domain domain)
    {
        if (domain.Settings.PauseCount == 0)
        {
            return XenError.Invalid;
        }

        if (--domain.Settings.PauseCount != 0)
        {
            return XenError.None;
        }

        if (domain.State == DomainState.Building)
        {
            domain.State = DomainState.Running;
        }

        domain.Settings.HasStarted = true;
        UnpauseVcpus(ref domain);
        return XenError.None;
    }

    /// <summary>Keeps every vcpu from running; one that runs is told, and lets go of its processor at its next return to guests.</summary>
    internal static void PauseVcpus(ref Domain domain)
    {
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            Scheduler.Pause(ref VcpuTable.At(domain.VcpuIndex(id)));
        }
    }

    /// <summary>Takes one <see cref="PauseVcpus"/> back.</summary>
    internal static void UnpauseVcpus(ref Domain domain)
    {
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            Scheduler.Unpause(ref VcpuTable.At(domain.VcpuIndex(id)));
        }
    }

    /// <summary>
    /// Waits until the paused vcpu is off its processor. That one is on the way into the hypervisor and needs the core's lock, which is
    /// lent to it: everything may have changed afterwards, also that the vcpu exists.
    /// </summary>
    internal static void AwaitRest(ref Vcpu vcpu)
    {
        while (vcpu.Schedule.PauseCount > 0 && vcpu.Schedule.RunsOn != Cpu.Index && !Scheduler.TryStop(ref vcpu))
        {
            TlbClock.Settle();
            HypervisorLock.Exit();
            for (int i = 0; i < Patience; i++)
            {
                RemoteRequests.Serve();
                Cpu.Pause();
            }

            HypervisorLock.Enter();
        }
    }
}
