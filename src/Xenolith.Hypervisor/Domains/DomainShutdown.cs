// The end of a domain by its own wish.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.Hypervisor.Domains;

/// <summary>SCHEDOP_shutdown.</summary>
internal static class DomainShutdown
{
    internal static void Request(ref Vcpu vcpu, ShutdownReason reason) => Request(ref vcpu.Domain, reason);

    /// <summary>Ends the domain; nothing happens to one that has ended already.</summary>
    internal static void Request(ref Domain domain, ShutdownReason reason)
    {
        if (domain.State != DomainState.Running)
        {
            return;
        }

        Log.Guest("domain"u8).Text("d"u8).Decimal((ulong)domain.Id).Text(" shuts down: "u8).Text(Name(reason)).End();
        SetCode(ref domain, (byte)reason);
        domain.State = reason == ShutdownReason.Crash ? DomainState.Crashed : DomainState.Shutdown;
        Stop(ref domain);
        Announce(ref domain, reason);
        DomainEnd.Follow(ref domain, reason);
    }

    /// <summary>The first code that is given stays.</summary>
    internal static void SetCode(ref Domain domain, byte code)
    {
        if (!domain.HasShutdownCode)
        {
            domain.ShutdownCode = code;
            domain.HasShutdownCode = true;
        }
    }

    /// <summary>Lets a domain that has shut down, or crashed, go on. Error: Invalid (it has not).</summary>
    internal static XenError Resume(ref Domain domain)
    {
        if (domain.State is not (DomainState.Shutdown or DomainState.Crashed))
        {
            return XenError.Invalid;
        }

        domain.State = DomainState.Running;
        domain.HasShutdownCode = false;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(id));
            vcpu.Context.Work &= ~VcpuWork.Stop;
            Scheduler.Unpause(ref vcpu);
        }

        return XenError.None;
    }

    /// <summary>Tells whoever waits for it that the domain has ended: its suspend port's peer if it has one and suspends, else all.</summary>
    internal static void Announce(ref Domain domain, ShutdownReason reason)
    {
        uint port = domain.Settings.SuspendPort;
        if (reason == ShutdownReason.Suspend && EventPorts.IsOpen(ref domain, port) && domain.Events.At(port).State == EventChannelState.Interdomain)
        {
            EventPorts.Notify(ref domain, port);
        }
        else
        {
            DomainEvent.Raise();
        }
    }

    /// <summary>No vcpu of the domain runs again, unless it is resumed.</summary>
    internal static void Stop(ref Domain domain)
    {
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(id));
            vcpu.Context.Work |= VcpuWork.Stop;
            Scheduler.Pause(ref vcpu);
        }
    }

    private static ReadOnlySpan<byte> Name(ShutdownReason reason) => reason switch
    {
        ShutdownReason.PowerOff => "power off"u8,
        ShutdownReason.Reboot => "reboot"u8,
        ShutdownReason.Suspend => "suspend"u8,
        ShutdownReason.Crash => "crash"u8,
        ShutdownReason.Watchdog => "watchdog"u8,
        _ => "unknown reason"u8,
    };
}
