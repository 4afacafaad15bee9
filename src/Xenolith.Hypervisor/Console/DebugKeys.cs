// What the hypervisor tells about itself when asked by key.
using System.Runtime.CompilerServices;
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.EventChannels;
using Xenolith.Hypervisor.Memory;
using Xenolith.Hypervisor.Platform;
using Xenolith.Hypervisor.Scheduling;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Console;

/// <summary>One key, one report. The letters are those of Xen where it has the same report.</summary>
internal static class DebugKeys
{
    private const int TypeCount = 8;

    internal static void Press(byte key)
    {
        switch (key)
        {
            case (byte)'h': Help(); break;
            case (byte)'d': Registers(); break;
            case (byte)'q': Domains(); break;
            case (byte)'t': PageTypes(); break;
            case (byte)'e': Events(); break;
            case (byte)'a': TimersReport(); break;
            case (byte)'m': MemoryReport.Print("keys"u8); break;
            case (byte)'i': Pirqs.Report(); break;
            case (byte)'R':
                Log.Always("keys"u8).Text("reboot"u8).End();
                Power.Reset();
                break;
            case (byte)'C': Fatal.Panic("asked for by the key C"u8); break;
            case (byte)'X':
                ulong quotient = Quotient(1, 0);
                Log.Always("keys"u8).Text("a division by zero gave "u8).Decimal(quotient).End();
                break;
            case (byte)'\r' or (byte)'\n': break;
            default: Log.Always("keys"u8).Text("no report on this key; h lists them"u8).End(); break;
        }
    }

    /// <summary>Not inlined: the compiler must not see a divisor of 0 coming.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ulong Quotient(ulong dividend, ulong divisor) => dividend / divisor;

    private static void Help()
    {
        Log.Always("keys"u8).Text("a timers | d registers of all vcpus | e event channels | h this list | i interrupts | m memory"u8).End();
        Log.Always("keys"u8).Text("q domains | t page types | C panic | R reboot the machine | X unexpected trap (a division by zero)"u8).End();
    }

    private static void Registers()
    {
        for (int index = 0; index < VcpuTable.Count; index++)
        {
            if (!VcpuTable.IsTaken(index))
            {
                continue;
            }

            ref Vcpu vcpu = ref VcpuTable.At(index);
            Name(Log.Always("keys"u8), ref vcpu).Text(vcpu.Context.InKernel != 0 ? " in kernel mode"u8 : " in user mode"u8).End();
            RegisterDump.Print(ref vcpu.Context.Registers);
        }
    }

    private static void Domains()
    {
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (!DomainTable.IsTaken((uint)id))
            {
                continue;
            }

            ref Domain domain = ref DomainTable.At(id);
            Name(Log.Always("keys"u8).Text("d"u8).Decimal((ulong)id).Text(" "u8), ref domain).Text(StateName(domain.State)).Text(", vcpus "u8)
                .Decimal((ulong)domain.VcpuCount).Text(", memory "u8).Decimal(domain.Memory.TotalPages >> 8).Text(" MiB ("u8).Decimal(domain.Memory.TotalPages)
                .Text(" pages of "u8).Decimal(domain.Memory.MaximumPages).Text("), processor time "u8).Decimal(RunningTime(ref domain) / 1_000_000).Text(" ms"u8).End();
            for (uint vcpuId = 0; vcpuId < (uint)domain.VcpuCount; vcpuId++)
            {
                ref Vcpu vcpu = ref VcpuTable.At(domain.VcpuIndex(vcpuId));
                Name(Log.Plain().Text("  "u8), ref vcpu).Text(vcpu.Schedule.IsUp ? " up"u8 : " down"u8).Text(vcpu.Schedule.IsBlocked ? " blocked"u8 : ""u8)
                    .Text(" running "u8).Decimal(vcpu.Time.Running / 1_000_000).Text(" ms, events "u8).Text(VcpuInfoPage.GetMask(ref vcpu) != 0 ? "masked"u8 : "open"u8)
                    .Text(VcpuInfoPage.IsPending(ref vcpu) ? ", one pending"u8 : ""u8).End();
            }
        }
    }

    /// <summary>The name of a boot-time domain, which the hypervisor knows; others' names are their toolstack's.</summary>
    private static Log Name(Log line, ref Domain domain)
    {
        ReadOnlySpan<byte> name = DomainConsoles.NameOf(ref domain);
        return name.IsEmpty ? line : line.Text("'"u8).Text(name).Text("' "u8);
    }

    /// <summary>Nanoseconds that all vcpus have run.</summary>
    private static ulong RunningTime(ref Domain domain)
    {
        ulong time = 0;
        for (uint id = 0; id < (uint)domain.VcpuCount; id++)
        {
            time += VcpuTable.At(domain.VcpuIndex(id)).Time.Running;
        }

        return time;
    }

    private static ReadOnlySpan<byte> StateName(DomainState state) => state switch
    {
        DomainState.Building => "building"u8,
        DomainState.Running => "running"u8,
        DomainState.Shutdown => "shut down"u8,
        DomainState.Crashed => "crashed"u8,
        DomainState.Dying => "being destroyed"u8,
        DomainState.Dead => "destroyed, but others refer to it"u8,
        _ => "in another state"u8,
    };

    private static void PageTypes()
    {
        Counts frames = default;
        for (ulong frame = 0; frame < FrameTable.Count; frame++)
        {
            ref FrameInfo info = ref FrameTable.At(new Mfn(frame));
            if (info.Owner < DomainTable.Count && info.TypeCount != 0)
            {
                frames[(int)info.Type & (TypeCount - 1)]++;
            }
        }

        Log.Always("keys"u8).Text("frames in use as L1 "u8).Decimal(frames[1]).Text(", L2 "u8).Decimal(frames[2]).Text(", L3 "u8).Decimal(frames[3])
            .Text(", L4 "u8).Decimal(frames[4]).Text(", descriptors "u8).Decimal(frames[5]).Text(", writable "u8).Decimal(frames[7]).End();
    }

    private static void Events()
    {
        for (int id = 0; id < DomainTable.Count; id++)
        {
            if (!DomainTable.IsTaken((uint)id))
            {
                continue;
            }

            ref Domain domain = ref DomainTable.At(id);
            for (uint port = 1; port < (uint)domain.Events.Capacity; port++)
            {
                ref EventChannel channel = ref domain.Events.At(port);
                if (channel.State == EventChannelState.Free)
                {
                    continue;
                }

                Log.Plain().Text("  d"u8).Decimal((ulong)id).Text(" port "u8).Decimal((ulong)port).Text(" vcpu "u8).Decimal((ulong)channel.Vcpu).Text(" "u8)
                    .Text(StateName(channel.State)).Text(" "u8).Decimal((ulong)channel.Number)
                    .Text(EventPorts.IsPending(ref domain, port) ? " pending"u8 : ""u8).End();
            }
        }
    }

    private static ReadOnlySpan<byte> StateName(EventChannelState state) => state switch
    {
        EventChannelState.Unbound => "unbound"u8,
        EventChannelState.Interdomain => "interdomain"u8,
        EventChannelState.Pirq => "pirq"u8,
        EventChannelState.Virq => "virq"u8,
        _ => "ipi"u8,
    };

    private static void TimersReport()
    {
        ulong now = SystemTime.Now();
        Log.Always("keys"u8).Text("now "u8).Decimal(now).Text(" ns"u8).End();
        for (int index = 0; index < VcpuTable.Count; index++)
        {
            if (!VcpuTable.IsTaken(index))
            {
                continue;
            }

            ref Vcpu vcpu = ref VcpuTable.At(index);
            Name(Log.Plain().Text("  "u8), ref vcpu).Text(" one-shot "u8).Decimal(vcpu.Time.SingleShot).Text(" periodic "u8).Decimal(vcpu.Time.PeriodicNext)
                .Text(" poll "u8).Decimal(vcpu.Time.PollTimeout).End();
        }
    }

    private static Log Name(Log line, ref Vcpu vcpu) => line.Text("d"u8).Decimal((ulong)vcpu.DomainId).Text("v"u8).Decimal((ulong)vcpu.Id);

    [InlineArray(TypeCount)]
    private struct Counts
    {
        private ulong _first;
    }
}
