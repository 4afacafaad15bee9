// Figures for Prometheus.
using System.Globalization;
using Prometheus;
using Xenod.Consoles;
using Xenod.Domains;
using Xenod.Machine;
using Xenolith.Toolstack.Daemon;

namespace Xenod.Http;

/// <summary>Writes one reading of the machine and all domains in Prometheus' text format. A domain that ends in between is left out.</summary>
internal static class MetricsPage
{
    private const int BytesPerKibibyte = 1024;
    private const double NanosecondsPerSecond = 1e9;

    internal static async Task WriteAsync(IMachineService machine, IDomainService domains, Stream to, CancellationToken cancellation)
    {
        // A registry for each reading: of domains that have gone nothing is left.
        CollectorRegistry registry = Metrics.NewCustomRegistry();
        MetricFactory factory = Metrics.WithCustomRegistry(registry);
        MachineView view = machine.Get();
        factory.CreateGauge("xenolith_memory_bytes", "Memory that the hypervisor manages.").Set(view.TotalKiB * (double)BytesPerKibibyte);
        factory.CreateGauge("xenolith_memory_free_bytes", "Memory that no domain has.").Set(view.FreeKiB * (double)BytesPerKibibyte);
        factory.CreateGauge("xenolith_processors", "Processors in use.").Set(view.Processors);
        factory.CreateGauge("xenolith_domains", "Domains, with Domain 0.").Set(view.Domains);

        DomainMetrics metrics = new(factory);
        foreach (DomainView domain in await domains.ListAsync(cancellation).ConfigureAwait(false))
        {
            if (domain.Id is not { } id)
            {
                continue;
            }

            metrics.Add(domain);
            metrics.Add(domain, machine.Count((ushort)id));
            metrics.Add(domain, domains.ReadConsoleRing(domain.Uuid));
            try
            {
                metrics.Add(domain, domains.ListVcpus((ushort)id));
            }
            catch (DomainServiceException)
            {
                // It has ended since.
            }
        }

        await registry.CollectAndExportAsTextAsync(to, cancellation).ConfigureAwait(false);
    }

    private sealed class DomainMetrics(MetricFactory factory)
    {
        private static readonly string[] s_domain = ["domain", "id"];
        private static readonly string[] s_vcpu = [.. s_domain, "vcpu"];
        private static readonly string[] s_disk = [.. s_domain, "device"];
        private static readonly string[] s_interface = [.. s_domain, "interface"];

        private readonly Counter _time = factory.CreateCounter("xenolith_domain_cpu_seconds_total", "Processor time that a domain has had.", s_domain);
        private readonly Gauge _memory = factory.CreateGauge("xenolith_domain_memory_bytes", "Memory that a domain has.", s_domain);
        private readonly Gauge _limit = factory.CreateGauge("xenolith_domain_memory_limit_bytes", "Memory that a domain may have.", s_domain);
        private readonly Gauge _vcpus = factory.CreateGauge("xenolith_domain_vcpus", "Virtual processors that are on.", s_domain);
        private readonly Gauge _state = factory.CreateGauge("xenolith_domain_state", "1 for the state that a domain is in.", [.. s_domain, "state"]);
        private readonly Counter _vcpuTime = factory.CreateCounter("xenolith_vcpu_cpu_seconds_total", "Processor time that a virtual processor has had.", s_vcpu);
        private readonly Counter _stolenTime = factory.CreateCounter("xenolith_vcpu_steal_seconds_total", "Time for which a virtual processor could have run but had no processor.", s_vcpu);
        private readonly Counter _hypercalls = factory.CreateCounter("xenolith_vcpu_hypercalls_total", "Hypercalls of a virtual processor.", s_vcpu);
        private readonly Counter _pageFaults = factory.CreateCounter("xenolith_vcpu_page_faults_total", "Page faults that the kernel of a virtual processor was given.", s_vcpu);
        private readonly Counter _upcalls = factory.CreateCounter("xenolith_vcpu_event_upcalls_total", "Times that a virtual processor was told of events.", s_vcpu);
        private readonly Gauge _consoleRing = factory.CreateGauge("xenolith_console_ring_bytes", "Bytes that wait in the ring of a domain's console.", [.. s_domain, "direction"]);
        private readonly Gauge _interfaceRing = factory.CreateGauge("xenolith_interface_ring_requests", "Requests of a domain that wait in a ring of its interface.", [.. s_interface, "queue", "direction"]);
        private readonly Counter _reads = factory.CreateCounter("xenolith_disk_reads_total", "Read requests of a disk.", s_disk);
        private readonly Counter _readBytes = factory.CreateCounter("xenolith_disk_read_bytes_total", "Bytes read from a disk.", s_disk);
        private readonly Counter _writes = factory.CreateCounter("xenolith_disk_writes_total", "Write requests of a disk.", s_disk);
        private readonly Counter _writtenBytes = factory.CreateCounter("xenolith_disk_written_bytes_total", "Bytes written to a disk.", s_disk);
        private readonly Counter _receivedBytes = factory.CreateCounter("xenolith_interface_received_bytes_total", "Bytes that went to a domain.", s_interface);
        private readonly Counter _receivedPackets = factory.CreateCounter("xenolith_interface_received_packets_total", "Packets that went to a domain.", s_interface);
        private readonly Counter _sentBytes = factory.CreateCounter("xenolith_interface_sent_bytes_total", "Bytes that came from a domain.", s_interface);
        private readonly Counter _sentPackets = factory.CreateCounter("xenolith_interface_sent_packets_total", "Packets that came from a domain.", s_interface);
        private readonly Counter _dropped = factory.CreateCounter("xenolith_interface_dropped_packets_total", "Packets that a domain did not take in time.", s_interface);

        internal void Add(DomainView domain)
        {
            string[] labels = Labels(domain);
            _time.WithLabels(labels).IncTo(domain.CpuNanoseconds / NanosecondsPerSecond);
            _memory.WithLabels(labels).Set(domain.MemoryKiB * (double)BytesPerKibibyte);
            _vcpus.WithLabels(labels).Set(domain.Vcpus);
            _state.WithLabels([.. labels, domain.State.ToString().ToLowerInvariant()]).Set(1);

            // Domain 0 has no limit: all that there is, or more.
            if (domain.Id != 0)
            {
                _limit.WithLabels(labels).Set(domain.MaximumMemoryKiB * (double)BytesPerKibibyte);
            }
        }

        internal void Add(DomainView domain, IReadOnlyList<VcpuView> vcpus)
        {
            foreach (VcpuView vcpu in vcpus)
            {
                string[] labels = [.. Labels(domain), vcpu.Vcpu.ToString(CultureInfo.InvariantCulture)];
                _vcpuTime.WithLabels(labels).IncTo(vcpu.CpuNanoseconds / NanosecondsPerSecond);
                if (vcpu.Counters is { } counters)
                {
                    _stolenTime.WithLabels(labels).IncTo(counters.StolenNanoseconds / NanosecondsPerSecond);
                    _hypercalls.WithLabels(labels).IncTo(counters.Hypercalls);
                    _pageFaults.WithLabels(labels).IncTo(counters.PageFaults);
                    _upcalls.WithLabels(labels).IncTo(counters.Upcalls);
                }
            }
        }

        internal void Add(DomainView domain, ConsoleRingUse? ring)
        {
            if (ring is not null)
            {
                _consoleRing.WithLabels([.. Labels(domain), "from"]).Set(ring.FromGuest);
                _consoleRing.WithLabels([.. Labels(domain), "to"]).Set(ring.ToGuest);
            }
        }

        internal void Add(DomainView domain, DeviceCounters devices)
        {
            foreach (DiskCounters disk in devices.Disks)
            {
                string[] labels = [.. Labels(domain), disk.Device];
                _reads.WithLabels(labels).IncTo(disk.Reads);
                _readBytes.WithLabels(labels).IncTo(disk.ReadBytes);
                _writes.WithLabels(labels).IncTo(disk.Writes);
                _writtenBytes.WithLabels(labels).IncTo(disk.WrittenBytes);
            }

            foreach (InterfaceCounters one in devices.Interfaces)
            {
                string[] labels = [.. Labels(domain), one.Interface];
                _receivedBytes.WithLabels(labels).IncTo(one.ReceivedBytes);
                _receivedPackets.WithLabels(labels).IncTo(one.ReceivedPackets);
                _sentBytes.WithLabels(labels).IncTo(one.SentBytes);
                _sentPackets.WithLabels(labels).IncTo(one.SentPackets);
                _dropped.WithLabels(labels).IncTo(one.DroppedPackets);
                foreach (InterfaceRing ring in one.Rings)
                {
                    string queue = ring.Queue.ToString(CultureInfo.InvariantCulture);
                    _interfaceRing.WithLabels([.. labels, queue, "from"]).Set(ring.FromGuest);
                    _interfaceRing.WithLabels([.. labels, queue, "to"]).Set(ring.ToGuest);
                }
            }
        }

        private static string[] Labels(DomainView domain) => [domain.Name, domain.Id!.Value.ToString(CultureInfo.InvariantCulture)];
    }
}
