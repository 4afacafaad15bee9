// How soon a boot-time domain says something.
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;

namespace Xenolith.Hypervisor.Console;

/// <summary>
/// The time from the beginning of the domain's building, with the unpacking of its kernel left out, and how much of it the kernel itself
/// had on a processor: the rest is building, and waiting for others.
/// </summary>
internal static class FirstLine
{
    private const ulong Millisecond = 1_000_000;

    /// <summary>The first line of the domain has just been printed; nothing is said of domains that a toolstack has made.</summary>
    internal static void Report(ref Domain domain)
    {
        if (!domain.Boot.Exists)
        {
            return;
        }

        ulong all = SystemTime.Now() - domain.Boot.StartedAt;
        ulong own = 0;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            own += RunState.ReadNow(ref VcpuTable.At(domain.VcpuIndex(id))).Running;
        }

        Log.Line("boot"u8).Text("domain '"u8).Text(DomainConsoles.NameOf(ref domain)).Text("': first line "u8).Decimal(all / Millisecond)
            .Text(" ms after its building began, "u8).Decimal(own / Millisecond).Text(" ms of them its kernel's own"u8).End();
    }
}
