// A domain's part of the processors.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Weight, cap and budget of a domain. All zero: the weight of a new domain, and no cap.</summary>
public struct DomainSchedule
{
    /// <summary>Weight of a domain that has been given none.</summary>
    public const uint DefaultWeight = 256;

    private uint _weight;

    /// <summary>Most that all its vcpus together may use, in per cent of one processor; 0 = no limit.</summary>
    public uint Cap;

    /// <summary>The budget is used up: none of its vcpus runs until <see cref="ResumesAt"/>.</summary>
    public bool IsParked;

    /// <summary>Nanoseconds that are left of the budget; below 0 = a debt.</summary>
    public long Budget;

    /// <summary>When the budget is next filled up, in nanoseconds since boot.</summary>
    public ulong RefilledAt;

    /// <summary>When a parked domain goes on, in nanoseconds since boot.</summary>
    public ulong ResumesAt;

    /// <summary>Share of each of its vcpus, 1 to 65535.</summary>
    public uint Weight
    {
        readonly get => _weight == 0 ? DefaultWeight : _weight;
        set => _weight = value;
    }
}
