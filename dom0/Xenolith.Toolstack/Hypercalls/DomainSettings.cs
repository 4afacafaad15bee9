// What the hypervisor has to know of a domain before it exists.
using Xenolith.Abi;

namespace Xenolith.Toolstack.Hypercalls;

/// <summary>Limits of a new domain, fixed for its life.</summary>
public sealed record DomainSettings
{
    /// <summary>The name that stays when the domain is started again under another number.</summary>
    public Guid Uuid { get; init; } = Guid.NewGuid();

    /// <summary>Virtual processors, at least 1.</summary>
    public int MaximumVcpus { get; init; } = 1;

    /// <summary>Highest event channel port.</summary>
    public int MaximumEventPort { get; init; } = 1023;

    /// <summary>Frames of its grant table; null: as many as the hypervisor thinks right.</summary>
    public int? MaximumGrantFrames { get; init; }

    /// <summary>Frames for grants of others that it maps; null: as many as the hypervisor thinks right.</summary>
    public int? MaximumMapTrackFrames { get; init; }

    /// <summary>Highest version of its grant table: 1 or 2; null: the highest that the hypervisor has.</summary>
    public int? GrantVersion { get; init; }

    /// <summary>It serves the machine itself.</summary>
    public bool IsMachineService { get; init; }

    /// <summary>Unknown model-specific registers read as 0 instead of raising a fault.</summary>
    public bool HasRelaxedMsrs { get; init; }

    /// <summary>Number of the domain; null: the hypervisor chooses a free one.</summary>
    public ushort? Id { get; init; }

    internal CreateDomain ToAbi(int grantVersion)
    {
        CreateDomain settings = new()
        {
            Flags = IsMachineService ? CreateDomain.XenstoreDomain : 0,
            MaximumVcpus = (uint)MaximumVcpus,
            MaximumEventPort = (uint)MaximumEventPort,
            MaximumGrantFrames = MaximumGrantFrames ?? -1,
            MaximumMapTrackFrames = MaximumMapTrackFrames ?? -1,
            GrantOptions = (uint)grantVersion & CreateDomain.GrantVersionMask,
            MiscellaneousFlags = HasRelaxedMsrs ? CreateDomain.RelaxedMsrs : 0,
        };
        Uuid.TryWriteBytes(settings.Handle, bigEndian: true, out _);
        return settings;
    }
}
