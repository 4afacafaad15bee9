// How fast the counters of this machine run.
using Xenolith.Hypervisor.Diagnostics;
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>Measures the TSC and the APIC timer against the best reference clock there is.</summary>
internal static class Calibration
{
    private const uint Milliseconds = 10;

    internal static void Run()
    {
        bool found = (PlatformInfo.HpetAddress != 0 && ReferenceClock.TryUseHpet(new MachineAddress(PlatformInfo.HpetAddress)))
            || (PlatformInfo.PmTimerPort != 0 && ReferenceClock.TryUsePmTimer(PlatformInfo.PmTimerPort, PlatformInfo.PmTimerIsWide));
        LocalApic.StartMeasurement();

        // The first round warms caches and translators up; only the second counts.
        ReferenceClock.Wait(1);
        ulong tsc = Tsc.Read();
        uint apic = LocalApic.MeasuredTicks;
        ulong reference = ReferenceClock.Wait(Milliseconds);
        tsc = Tsc.Read() - tsc;
        apic = LocalApic.MeasuredTicks - apic;
        ulong tscKilohertz = tsc * ReferenceClock.Hertz / reference / 1000;
        ulong apicKilohertz = apic * ReferenceClock.Hertz / reference / 1000;
        Fatal.Assert(tscKilohertz != 0 && apicKilohertz != 0, "the TSC or the APIC timer stands still"u8);

        // QEMU's translator feeds the counters of all processors from one clock, though its CPUID does not promise it.
        SystemTime.Initialize(tscKilohertz, CpuFeatures.HasInvariantTsc || CpuFeatures.IsTcg);
        LocalApicTimer.Kilohertz = apicKilohertz;
        Preemption.SliceTicks = tscKilohertz;
        Log.Line("time"u8).Text("TSC "u8).Decimal(tscKilohertz / 1000).Text(CpuFeatures.HasInvariantTsc ? " MHz, invariant; APIC timer "u8 : " MHz; APIC timer "u8)
            .Decimal(apicKilohertz / 1000).Text(" MHz; measured for "u8).Decimal((ulong)Milliseconds).Text(" ms against the "u8)
            .Text(found ? ReferenceClock.Current == ReferenceClock.Source.Hpet ? "HPET"u8 : "ACPI PM timer"u8 : "PIT"u8).End();
    }
}
