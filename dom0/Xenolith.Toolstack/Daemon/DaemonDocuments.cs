// What goes over the daemon's HTTP interface as JSON.
using System.Text.Json;
using System.Text.Json.Serialization;
using Xenolith.Toolstack.Hypercalls;

namespace Xenolith.Toolstack.Daemon;

/// <summary>All domains.</summary>
/// <param name="Domains">Those that the hypervisor has, in the order of their numbers, and those that are being made.</param>
public sealed record DomainList(IReadOnlyList<DomainView> Domains);

/// <summary>A domain that was made or found.</summary>
/// <param name="Domain">How it is now.</param>
/// <param name="IsNew">Whether it has been made now.</param>
/// <param name="Warnings">What of its configuration has no effect here.</param>
public sealed record CreatedDomain(DomainView Domain, bool IsNew, IReadOnlyList<string> Warnings);

/// <summary>What of a domain is to change; null leaves it as it is.</summary>
/// <param name="Memory">MiB.</param>
/// <param name="Vcpus">How many are on.</param>
/// <param name="Weight">1 to 65535.</param>
/// <param name="Cap">Percent of one processor; 0 = no limit.</param>
public sealed record DomainChange(int? Memory = null, int? Vcpus = null, int? Weight = null, int? Cap = null);

/// <summary>A virtual processor, at one moment.</summary>
/// <param name="Vcpu">Its number in the domain.</param>
/// <param name="State">offline, running, runnable or blocked.</param>
/// <param name="Processor">The processor that it is on, or was last; null while it is offline.</param>
/// <param name="CpuNanoseconds">Processor time it has had.</param>
/// <param name="Affinity">The processors that it has to run on.</param>
/// <param name="SoftAffinity">The processors that it had better run on.</param>
/// <param name="Counters">What it has caused; null where the hypervisor does not count it (real Xen).</param>
public sealed record VcpuView(
    int Vcpu, string State, int? Processor, long CpuNanoseconds, IReadOnlyList<int> Affinity, IReadOnlyList<int> SoftAffinity, VcpuCountersView? Counters = null);

/// <summary>What a virtual processor has caused since its start.</summary>
/// <param name="StolenNanoseconds">How long it could have run but had no processor.</param>
/// <param name="Hypercalls">Calls of the hypervisor; a multicall is one, and irets that take the quick path are none.</param>
/// <param name="PageFaults">Page faults that its kernel was given.</param>
/// <param name="Upcalls">Entries into its kernel's event callback.</param>
public sealed record VcpuCountersView(long StolenNanoseconds, long Hypercalls, long PageFaults, long Upcalls);

/// <summary>The virtual processors of a domain.</summary>
public sealed record VcpuList(IReadOnlyList<VcpuView> Vcpus);

/// <summary>A kernel of Domain 0's that domains can be made of.</summary>
/// <param name="Path">Its file.</param>
/// <param name="RamDisk">The RAM disk that belongs to it, if there is one.</param>
public sealed record InstalledKernel(string Path, string? RamDisk);

/// <summary>What the machine has, at one moment.</summary>
/// <param name="Hypervisor">The hypervisor's version.</param>
/// <param name="ChangeSet">What it was built from.</param>
/// <param name="Capabilities">Kinds of domains that it runs.</param>
/// <param name="CommandLine">Its options.</param>
/// <param name="Scheduler">Who divides the processors.</param>
/// <param name="Processors">Processors in use.</param>
/// <param name="Megahertz">Rate of the time-stamp counter.</param>
/// <param name="TotalKiB">Memory that the hypervisor manages.</param>
/// <param name="FreeKiB">Memory that no domain has.</param>
/// <param name="ReservedKiB">Of the free memory: what is claimed for domains that are being made.</param>
/// <param name="HasHardwareVirtualization">Domains with hardware virtualization can run.</param>
/// <param name="Domains">How many there are, with Domain 0.</param>
/// <param name="Kernels">Kernels in Domain 0's /boot, the newest first.</param>
public sealed record MachineView(
    string Hypervisor, string ChangeSet, IReadOnlyList<string> Capabilities, string CommandLine, string Scheduler, int Processors, uint Megahertz, long TotalKiB, long FreeKiB, long ReservedKiB,
    bool HasHardwareVirtualization, int Domains, IReadOnlyList<InstalledKernel> Kernels)
{
    private const int KibibytesPerPage = 4;

    /// <summary>What the hypervisor tells; Domain 0's kernels are not its to know.</summary>
    internal static MachineView Read(ControlInterface control)
    {
        HypervisorVersion version = control.Machine.GetVersion();
        MachineInformation machine = control.Machine.Get();
        return new MachineView(
            version.ToString(), version.ChangeSet, version.Capabilities, version.CommandLine, control.Scheduling.GetScheduler().ToString(), machine.Processors, machine.Kilohertz / 1000,
            (long)machine.TotalPages * KibibytesPerPage, (long)machine.FreePages * KibibytesPerPage, (long)machine.OutstandingPages * KibibytesPerPage,
            machine.HasHardwareVirtualization, control.Domains.List().Count, []);
    }
}

/// <summary>Something that has happened to a domain.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">Such as <c>domain.created</c>.</param>
/// <param name="Uuid">Which domain.</param>
/// <param name="Name">Its name then.</param>
/// <param name="Detail">More about it, or null.</param>
public sealed record DomainEvent(DateTimeOffset Time, string Kind, Guid Uuid, string Name, string? Detail);

/// <summary>Why a request was not done (RFC 9457).</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Title">What the status means.</param>
/// <param name="Detail">One sentence that says what, why, and what to do.</param>
public sealed record Problem(int? Status, string? Title, string? Detail);

/// <summary>Writers and readers made when the library is compiled.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DomainList))]
[JsonSerializable(typeof(CreatedDomain))]
[JsonSerializable(typeof(DomainChange))]
[JsonSerializable(typeof(DomainEvent))]
[JsonSerializable(typeof(VcpuList))]
[JsonSerializable(typeof(MachineView))]
[JsonSerializable(typeof(DiskList))]
[JsonSerializable(typeof(DiskRequest))]
[JsonSerializable(typeof(InterfaceList))]
[JsonSerializable(typeof(InterfaceRequest))]
[JsonSerializable(typeof(RuleList))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class DaemonJson : JsonSerializerContext;
