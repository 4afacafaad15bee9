// A counter of known frequency, against which the others are measured.
namespace Xenolith.Machine;

/// <summary>HPET, ACPI PM timer or PIT channel 2, in this order of preference.</summary>
public static class ReferenceClock
{
    private const uint PmTimerHertz = 3_579_545;
    private const uint PitHertz = 1_193_182;
    private const ulong FemtosecondsPerSecond = 1_000_000_000_000_000;
    private const int HpetPeriod = 4;
    private const int HpetConfiguration = 0x10;
    private const int HpetCounter = 0xF0;

    private static MachineAddress s_hpet;
    private static ushort s_pmTimer;
    private static bool s_pmTimerIsWide;
    private static Source s_source = Source.Pit;

    /// <summary>Which counter is in use.</summary>
    public enum Source
    {
        Pit, PmTimer, Hpet,
    }

    public static Source Current => s_source;

    /// <summary>Ticks per second.</summary>
    public static ulong Hertz { get; private set; } = PitHertz;

    /// <summary>Uses the HPET at an address; false when its registers make no sense.</summary>
    public static bool TryUseHpet(MachineAddress address)
    {
        Mmio.Map(address, 1024);
        uint period = Mmio.Read32(address.Add(HpetPeriod));
        if (period == 0 || period > 100_000_000)
        {
            return false;
        }

        Mmio.Write32(address.Add(HpetConfiguration), 1);
        s_hpet = address;
        s_source = Source.Hpet;
        Hertz = FemtosecondsPerSecond / period;
        return true;
    }

    /// <summary>Uses the ACPI PM timer at a port, 24 or 32 bits wide; false when it stands still.</summary>
    public static bool TryUsePmTimer(ushort port, bool isWide)
    {
        uint first = Ports.In32(port);
        for (int i = 0; i < 1000; i++)
        {
            if (Ports.In32(port) != first)
            {
                s_pmTimer = port;
                s_pmTimerIsWide = isWide;
                s_source = Source.PmTimer;
                Hertz = PmTimerHertz;
                return true;
            }
        }

        return false;
    }

    /// <summary>Waits for that many milliseconds, at most 50, and gives the ticks that really went by.</summary>
    public static ulong Wait(uint milliseconds)
    {
        ulong wanted = Hertz * Math.Min(milliseconds, 50u) / 1000;
        if (s_source == Source.Pit)
        {
            return WaitForPit((ushort)wanted);
        }

        uint mask = s_source == Source.Hpet || s_pmTimerIsWide ? uint.MaxValue : 0xFF_FFFF;
        uint start = Read();
        uint passed;
        do
        {
            passed = (Read() - start) & mask;
        }
        while (passed < wanted);
        return passed;
    }

    private static uint Read() => s_source == Source.Hpet ? Mmio.Read32(s_hpet.Add(HpetCounter)) : Ports.In32(s_pmTimer);

    /// <summary>Counts channel 2 down once; its output line, readable in port 0x61, tells the end.</summary>
    private static ulong WaitForPit(ushort ticks)
    {
        Ports.Out8(0x61, (byte)((Ports.In8(0x61) & ~0x02) | 0x01));
        Ports.Out8(0x43, 0xB0);
        Ports.Out8(0x42, (byte)ticks);
        Ports.Out8(0x42, (byte)(ticks >> 8));
        while ((Ports.In8(0x61) & 0x20) == 0)
        {
            Cpu.Pause();
        }

        return ticks;
    }
}
