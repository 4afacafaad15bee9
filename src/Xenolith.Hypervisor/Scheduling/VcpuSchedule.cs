// Whether a vcpu wants a processor, and which it may have.
namespace Xenolith.Hypervisor.Scheduling;

/// <summary>Scheduling state of a vcpu.</summary>
public struct VcpuSchedule
{
    private const ulong Lead = 2 * Scheduler.SliceNanoseconds;

    /// <summary>VCPUOP_up has been done.</summary>
    public bool IsUp;

    /// <summary>Waits for an event.</summary>
    public bool IsBlocked;

    /// <summary>SCHEDOP_pin_override: it stays on <see cref="PinnedTo"/> until it says otherwise.</summary>
    public bool IsPinned;

    /// <summary>Its domain has a cap: what it uses is charged to the domain's budget.</summary>
    public bool IsCapped;

    /// <summary>Its slice is over or it has yielded: whoever has had no more than it goes first.</summary>
    public bool GivesWay;

    /// <summary>How many reasons there are to keep it from running, whatever it wants.</summary>
    public int PauseCount;

    /// <summary>The processor that runs it, or -1.</summary>
    public int RunsOn;

    /// <summary>The processor that has its state loaded (it need not run), or -1.</summary>
    public int LoadedOn;

    /// <summary>The processor of SCHEDOP_pin_override.</summary>
    public int PinnedTo;

    /// <summary>Its share: that of its domain.</summary>
    public uint Weight;

    /// <summary>
    /// Processor time it has had, in nanoseconds divided by its share: the runnable vcpu with the least goes first. A vcpu that wakes
    /// does not keep what it did not use.
    /// </summary>
    public ulong VirtualTime;

    /// <summary>When it began to run, or its account was last settled.</summary>
    public ulong AccountedAt;

    /// <summary>When it was given the processor.</summary>
    public ulong StartedAt;

    /// <summary>A bit for each processor that the toolstack lets it have.</summary>
    public ulong HardAffinity;

    /// <summary>A bit for each processor on which it had better run.</summary>
    public ulong SoftAffinity;

    /// <summary>The processors that it may use now: there, allowed, and the one it is pinned to.</summary>
    public ulong Allowed;

    /// <summary>Those of <see cref="Allowed"/> on which it had better run; all of them when it has no preference.</summary>
    public ulong Preferred;

    /// <summary>Its place in the queue while it waits for a processor.</summary>
    internal TreeNode Node;

    public readonly bool IsRunnable => IsUp && !IsBlocked && PauseCount == 0;

    /// <summary>State of a new vcpu, which has not been brought up.</summary>
    internal static VcpuSchedule New(uint weight, bool isCapped)
    {
        VcpuSchedule schedule = new()
        {
            RunsOn = -1,
            LoadedOn = -1,
            Weight = weight,
            IsCapped = isCapped,
            HardAffinity = ulong.MaxValue,
            SoftAffinity = ulong.MaxValue,
        };
        schedule.SettleAffinity();
        return schedule;
    }

    /// <summary>Virtual time that passes for it in a time.</summary>
    internal readonly ulong Scale(ulong nanoseconds)
        => Weight == DomainSchedule.DefaultWeight ? nanoseconds : nanoseconds * DomainSchedule.DefaultWeight / Weight;

    /// <summary>
    /// How far, in virtual time, it can be ahead of others by what it has had itself. Who is further behind than that has been on
    /// other processors, or alone, and must not make up for it.
    /// </summary>
    internal readonly ulong LargestLead => Scheduler.WakeBonusNanoseconds + Scale(Lead);

    /// <summary>Works out <see cref="Allowed"/> and <see cref="Preferred"/> when something that they depend on has changed.</summary>
    internal void SettleAffinity()
    {
        Allowed = HardAffinity & ProcessorTable.Online & (IsPinned ? 1UL << PinnedTo : ulong.MaxValue);
        ulong preferred = SoftAffinity & Allowed;
        Preferred = preferred == 0 ? Allowed : preferred;
    }
}
