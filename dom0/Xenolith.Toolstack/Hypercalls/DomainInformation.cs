// What the hypervisor knows of a domain.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>One moment of a domain's life.</summary>
/// <param name="Id">Its number; the hypervisor does not give it to another domain soon.</param>
/// <param name="Uuid">The name that its creator gave it.</param>
/// <param name="State">What it does.</param>
/// <param name="ShutdownReason">Why it has shut down; null while it has not.</param>
/// <param name="Pages">Pages of 4 KiB that it has.</param>
/// <param name="MaximumPages">Pages that it may have.</param>
/// <param name="ProcessorTime">How long its vcpus have run, together.</param>
/// <param name="OnlineVcpus">Vcpus that its kernel has brought up.</param>
/// <param name="MaximumVcpus">Vcpus that it has; 0 before they are made.</param>
/// <param name="SharedInfoFrame">Machine frame of the page that it shares with the hypervisor.</param>
/// <param name="Pool">Pool of processors; null when it is in none.</param>
public sealed record DomainInformation(
    ushort Id,
    Guid Uuid,
    DomainStates State,
    ShutdownReason? ShutdownReason,
    ulong Pages,
    ulong MaximumPages,
    TimeSpan ProcessorTime,
    int OnlineVcpus,
    int MaximumVcpus,
    ulong SharedInfoFrame,
    uint? Pool)
{
    internal static DomainInformation From(in DomainInfo info)
    {
        DomainHandle handle = info.Handle;
        return new DomainInformation(
            info.Domain,
            new Guid(handle, bigEndian: true),
            (DomainStates)(info.Flags & (uint)DomainStates.All),
            (info.Flags & DomainInfo.ShutDown) != 0 ? (ShutdownReason)((info.Flags >> DomainInfo.ShutdownShift) & 0xFF) : null,
            info.TotalPages,
            info.MaximumPages,
            TimeSpan.FromTicks((long)(info.ProcessorTime / 100)),
            (int)info.OnlineVcpus,
            info.HighestVcpu == DomainInfo.NoVcpu ? 0 : (int)info.HighestVcpu + 1,
            info.SharedInfoFrame,
            info.CpuPool == uint.MaxValue ? null : info.CpuPool);
    }
}

/// <summary>Flags of a domain; several may be set.</summary>
[Flags]
public enum DomainStates : uint
{
    /// <summary>It could run, and no processor is free for it.</summary>
    None = 0,

    /// <summary>It is destroyed, and somebody still holds some of its memory.</summary>
    Dying = DomainInfo.Dying,

    /// <summary>It has shut down; <see cref="DomainInformation.ShutdownReason"/> says why.</summary>
    ShutDown = DomainInfo.ShutDown,

    /// <summary>It is paused by Domain 0.</summary>
    Paused = DomainInfo.Paused,

    /// <summary>All its vcpus wait for events.</summary>
    Blocked = DomainInfo.Blocked,

    /// <summary>A vcpu of it is running.</summary>
    Running = DomainInfo.Running,

    /// <summary>It serves the machine itself, and is left out when all domains are shut down.</summary>
    MachineService = DomainInfo.XenstoreDomain,

    /// <summary>All of these.</summary>
    All = Dying | ShutDown | Paused | Blocked | Running | MachineService,
}
