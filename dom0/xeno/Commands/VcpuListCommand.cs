// xeno vcpu-list.
using System.CommandLine;
using System.Globalization;
using Xenolith.Toolstack.Daemon;

namespace Xeno.Commands;

/// <summary>The virtual processors of one domain or of all.</summary>
internal static class VcpuListCommand
{
    internal static Command Make()
    {
        Argument<string?> domain = new("domain") { Description = "name, number or uuid of the domain; all domains where none is given", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> json = Direct.MakeJsonOption();
        Command command = new("vcpu-list", "Lists virtual processors: what they do, where, and where they may.") { domain, json };
        Completion.OfDomains(domain);
        Daemon.Run(command, async (daemon, parsed, cancellation) =>
        {
            List<DomainVcpus> found = [];
            foreach (DomainView view in parsed.GetValue(domain) is { } name ? [await daemon.GetAsync(name, cancellation)] : await daemon.ListAsync(cancellation))
            {
                if (view.Id is { } id)
                {
                    found.Add(new DomainVcpus(id, view.Name, await daemon.ListVcpusAsync(id.ToString(CultureInfo.InvariantCulture), cancellation)));
                }
            }

            if (parsed.GetValue(json))
            {
                Output.WriteJson(found);
            }
            else
            {
                Write(found);
            }
        });
        return command;
    }

    private static void Write(IEnumerable<DomainVcpus> domains) => Output.WriteTable(
        ["Id", "Name", "Vcpu", "CPU", "State", "Seconds", "Affinity", "Soft"],
        domains.SelectMany(domain => domain.Vcpus.Select(vcpu => new[]
        {
            domain.Id.ToString(CultureInfo.InvariantCulture),
            domain.Name,
            vcpu.Vcpu.ToString(CultureInfo.InvariantCulture),
            vcpu.Processor?.ToString(CultureInfo.InvariantCulture) ?? "-",
            vcpu.State,
            (vcpu.CpuNanoseconds / 1e9).ToString("F1", CultureInfo.InvariantCulture),
            Ranges(vcpu.Affinity),
            Ranges(vcpu.SoftAffinity),
        })),
        0, 2, 3, 5);

    /// <summary>Such as <c>0-3,6</c>.</summary>
    internal static string Ranges(IReadOnlyList<int> numbers)
    {
        List<string> ranges = [];
        for (int i = 0; i < numbers.Count;)
        {
            int first = numbers[i];
            int last = first;
            while (++i < numbers.Count && numbers[i] == last + 1)
            {
                last++;
            }

            ranges.Add(first == last ? $"{first}" : $"{first}-{last}");
        }

        return ranges.Count == 0 ? "-" : string.Join(',', ranges);
    }
}

/// <summary>A domain's virtual processors, as <c>xeno vcpu-list</c> tells them.</summary>
/// <param name="Id">The domain's number.</param>
/// <param name="Name">Its name.</param>
/// <param name="Vcpus">What they do.</param>
internal sealed record DomainVcpus(int Id, string Name, IReadOnlyList<VcpuView> Vcpus);
