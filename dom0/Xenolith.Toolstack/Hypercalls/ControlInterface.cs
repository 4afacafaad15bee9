// The hypervisor's operations, with types.
namespace Xenolith.Toolstack.Hypercalls;

/// <summary>
/// What Domain 0 can ask of the hypervisor. Every member is one hypercall or a few, takes microseconds unless it says otherwise, may be
/// called from any thread, and throws a <see cref="XenException"/> when the hypervisor refuses.
/// </summary>
/// <example><code>
/// using ControlInterface control = ControlInterface.Open();
/// foreach (DomainInformation domain in control.Domains.List())
/// {
///     Console.WriteLine($"{domain.Id} {domain.State}");
/// }
/// </code></example>
public sealed class ControlInterface : IDisposable
{
    private readonly bool _ownsHypervisor;

    /// <summary>Operations through a hypervisor that somebody else disposes of.</summary>
    public ControlInterface(IHypervisor hypervisor)
    {
        ArgumentNullException.ThrowIfNull(hypervisor);
        Caller caller = new(hypervisor);
        Hypervisor = hypervisor;
        Machine = new MachineOperations(caller);
        Domains = new DomainOperations(caller, Machine);
        Vcpus = new VcpuOperations(caller, Machine);
        Memory = new MemoryOperations(caller);
        Policies = new CpuPolicyOperations(caller);
        Scheduling = new SchedulingOperations(caller);
    }

    private ControlInterface(IHypervisor hypervisor, bool ownsHypervisor)
        : this(hypervisor) => _ownsHypervisor = ownsHypervisor;

    /// <summary>Calls, buffers and mappings underneath.</summary>
    public IHypervisor Hypervisor { get; }

    /// <summary>What concerns the whole machine.</summary>
    public MachineOperations Machine { get; }

    /// <summary>Life and settings of domains.</summary>
    public DomainOperations Domains { get; }

    /// <summary>Virtual processors.</summary>
    public VcpuOperations Vcpus { get; }

    /// <summary>Memory of domains and of the machine.</summary>
    public MemoryOperations Memory { get; }

    /// <summary>What CPUID says.</summary>
    public CpuPolicyOperations Policies { get; }

    /// <summary>Pools and shares of processors.</summary>
    public SchedulingOperations Scheduling { get; }

    /// <summary>The hypervisor that this machine runs on.</summary>
    /// <exception cref="HypervisorUnavailableException">There is none, or this is not Domain 0's root.</exception>
    public static ControlInterface Open() => new(IHypervisor.Open(), true);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_ownsHypervisor)
        {
            Hypervisor.Dispose();
        }
    }
}
