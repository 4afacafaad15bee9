// What the toolstack has said about a domain.
using Xenolith.Abi;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Grants;

namespace Xenolith.Hypervisor.Domains;

/// <summary>Settings that createdomain and later operations of domctl give; a domain made otherwise has the defaults.</summary>
public struct DomainSettings
{
    private static ulong s_lastSerial;

    /// <summary>A number that no two domains ever share, unlike their ids.</summary>
    public ulong Serial;

    /// <summary>Its UUID.</summary>
    public DomainHandle Handle;

    /// <summary>Vcpus that it is to have.</summary>
    public uint MaximumVcpus;

    /// <summary>The highest event channel that it may open.</summary>
    public uint HighestEventPort;

    /// <summary>Most pages of its grant table, and of its mappings of others' grants.</summary>
    public uint MaximumGrantFrames;
    public uint MaximumHandlePages;

    /// <summary>A label that the toolstack gave and gets back.</summary>
    public uint SecurityId;

    /// <summary>It belongs to the machine's services: "shut all down" leaves it out.</summary>
    public bool IsService;

    /// <summary>Reads of model-specific registers that there are none of give 0 instead of a fault.</summary>
    public bool RelaxedMsrs;

    /// <summary>It has been unpaused once: what describes its processors stays as it is.</summary>
    public bool HasStarted;

    /// <summary>How often the toolstack has paused it more than unpaused it.</summary>
    public int PauseCount;

    /// <summary>It may act on the memory, the events and the grants of <see cref="Target"/>, if that is still the same domain.</summary>
    public bool HasTarget;
    public ushort Target;
    public ulong TargetSerial;

    /// <summary>The port of its own that is notified when it suspends, instead of VIRQ_DOM_EXC; 0 = none.</summary>
    public uint SuspendPort;

    /// <summary>Seconds by which its wall clock goes ahead of the machine's.</summary>
    public long TimeOffset;

    /// <summary>How often it has been restored, as the toolstack counts.</summary>
    public uint TscIncarnation;

    /// <summary>The settings of a domain about which nothing has been said.</summary>
    internal static DomainSettings New() => new()
    {
        Serial = ++s_lastSerial,
        MaximumVcpus = Domain.MaximumVcpus,
        HighestEventPort = DomainEvents.MaximumPorts - 1,
        MaximumGrantFrames = DomainGrants.MaximumFrames,
        MaximumHandlePages = DomainGrants.MaximumHandlePages,
    };
}
