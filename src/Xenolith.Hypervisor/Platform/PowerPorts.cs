// The ports that switch the machine off and reset it.
using Xenolith.Hypervisor.Time;
using Xenolith.Machine;

namespace Xenolith.Hypervisor.Platform;

/// <summary>PM1 control blocks and reset register of the FADT, and the sleep type of \_S5_ from the DSDT.</summary>
internal static class PowerPorts
{
    private const int SleepTypeShift = 10;
    private const ushort SleepEnable = 1 << 13;
    private const ushort SleepTypeMask = 7 << SleepTypeShift;

    private static bool s_hasSleepType;
    private static byte s_sleepTypeA;
    private static byte s_sleepTypeB;

    internal static ushort Pm1A { get; set; }

    internal static ushort Pm1B { get; set; }

    internal static ushort ResetPort { get; set; }

    internal static byte ResetValue { get; set; }

    /// <summary>
    /// Finds the package of \_S5_ in the DSDT's byte code: NameOp "_S5_" PackageOp length count, then two small integers.
    /// </summary>
    internal static void FindSleepType(ReadOnlySpan<byte> code)
    {
        for (int at = 0; at + 12 < code.Length; at++)
        {
            if (!code.Slice(at).StartsWith("_S5_\x12"u8))
            {
                continue;
            }

            int next = at + 5;
            next += 1 + (code[next] >> 6);
            next++;
            s_hasSleepType = TryInteger(code, ref next, out s_sleepTypeA) && TryInteger(code, ref next, out s_sleepTypeB);
            return;
        }
    }

    /// <summary>Enters S5 if the tables told how; returns if that did nothing.</summary>
    internal static void SwitchOff()
    {
        if (s_hasSleepType)
        {
            Sleep(s_sleepTypeA, s_sleepTypeB);
        }
    }

    /// <summary>Writes the values that Domain 0 computed for its sleep state.</summary>
    internal static void SleepWith(ushort valueA, ushort valueB)
    {
        Write(Pm1A, valueA);
        Write(Pm1B, valueB);
        WaitForEffect();
    }

    private static void Sleep(byte typeA, byte typeB)
    {
        Write(Pm1A, (ushort)((Current(Pm1A) & ~SleepTypeMask) | (typeA << SleepTypeShift) | SleepEnable));
        Write(Pm1B, (ushort)((Current(Pm1B) & ~SleepTypeMask) | (typeB << SleepTypeShift) | SleepEnable));
        WaitForEffect();
    }

    /// <summary>The machine goes off a little later than it is told to; a second without effect means that it will not.</summary>
    private static void WaitForEffect()
    {
        const ulong Second = 1_000_000_000;
        ulong end = SystemTime.Now() + Second;
        while (SystemTime.Now() < end)
        {
            Cpu.Pause();
        }
    }

    private static ushort Current(ushort port) => port == 0 ? (ushort)0 : Ports.In16(port);

    private static void Write(ushort port, ushort value)
    {
        if (port != 0)
        {
            Ports.Out16(port, value);
        }
    }

    private static bool TryInteger(ReadOnlySpan<byte> code, ref int at, out byte value)
    {
        const byte ZeroOp = 0;
        const byte OneOp = 1;
        const byte BytePrefix = 0x0A;
        value = 0;
        if (at + 1 >= code.Length)
        {
            return false;
        }

        byte first = code[at++];
        switch (first)
        {
            case ZeroOp or OneOp:
                value = first;
                return true;
            case BytePrefix:
                value = code[at++];
                return true;
            default:
                return false;
        }
    }
}
