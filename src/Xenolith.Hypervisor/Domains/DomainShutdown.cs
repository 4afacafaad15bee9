// The end of a domain by its own wish.
using Xenolith.Abi;
using Xenolith.Hypervisor.Diagnostics;
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

    /// <summary>No vcpu of the domain runs again.</summary>
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
