// A domain: one virtual machine, its memory, vcpus and rights.
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Domains;

/// <summary>One slot of the domain table. Each subsystem keeps its own part as a struct of its own.</summary>
public struct Domain
{
    /// <summary>How many vcpus a domain can have: the vcpu_info slots of shared_info.</summary>
    public const int MaximumVcpus = 32;

    public ushort Id;

    public DomainState State;

    /// <summary>Whether this is Domain 0: the control and hardware domain.</summary>
    public bool IsPrivileged;

    /// <summary>Why it has shut down or crashed, as the toolstack is told (SHUTDOWN_*); the guest may set it before the event.</summary>
    public byte ShutdownCode;

    /// <summary><see cref="ShutdownCode"/> has been set.</summary>
    public bool HasShutdownCode;

    /// <summary>Number of vcpus, online or not.</summary>
    public int VcpuCount;

    /// <summary>Bits of vm_assist that are enabled (public xen.h, VMASST_TYPE_*).</summary>
    public ulong Assists;

    public BootOrigin Boot;

    /// <summary>Number of the console that the hypervisor serves for it, from 1 on; 0: none.</summary>
    public int ConsoleSlot;

    /// <summary>The frame of shared_info.</summary>
    public Mfn SharedInfo;

    public DomainSettings Settings;

    public DomainFeatures Features;

    public DomainMemory Memory;

    public DomainEvents Events;

    public DomainGrants Grants;

    public DomainPlatform Platform;

    public DomainWatchdogs Watchdogs;

    public DomainSchedule Schedule;

    public DomainEnding Ending;

    private VcpuIndexes _vcpuIndexes;

    /// <summary>Index in the vcpu table of vcpu <paramref name="id"/>, or -1 if the domain has no such vcpu.</summary>
    public readonly int VcpuIndex(uint id) => id < (uint)VcpuCount ? _vcpuIndexes[(int)id] : -1;

    /// <summary>Names the vcpu table slot of vcpu <paramref name="id"/>, which must be below <see cref="MaximumVcpus"/>.</summary>
    public void SetVcpuIndex(int id, int index) => _vcpuIndexes[id] = index;

    [System.Runtime.CompilerServices.InlineArray(MaximumVcpus)]
    private struct VcpuIndexes
    {
        private int _first;
    }
}
