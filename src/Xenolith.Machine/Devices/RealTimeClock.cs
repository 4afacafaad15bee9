// The battery-backed clock.
namespace Xenolith.Machine;

/// <summary>The MC146818-compatible clock behind ports 0x70 and 0x71, read as seconds since 1970 UTC.</summary>
public static class RealTimeClock
{
    private const ushort IndexPort = 0x70;
    private const ushort DataPort = 0x71;
    private const int PatienceReads = 100_000;

    /// <summary>Reads the clock twice until both readings agree; 0 when it does not answer.</summary>
    public static ulong ReadSeconds()
    {
        for (int attempt = 0; attempt < 4; attempt++)
        {
            for (int i = 0; i < PatienceReads && (Register(0x0A) & 0x80) != 0; i++)
            {
            }

            ulong first = ReadOnce();
            if (first == ReadOnce())
            {
                return first;
            }
        }

        return 0;
    }

    /// <summary>Days since 1970-01-01 of a Gregorian date.</summary>
    public static ulong DaysSinceEpoch(uint year, uint month, uint day)
    {
        // Years that begin in March put the leap day last.
        year -= month <= 2 ? 1u : 0;
        uint era = year / 400;
        uint yearOfEra = year - (era * 400);
        uint dayOfYear = ((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5 + day - 1;
        uint dayOfEra = (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear;
        return ((ulong)era * 146_097) + dayOfEra - 719_468;
    }

    private static ulong ReadOnce()
    {
        byte status = Register(0x0B);
        bool isBinary = (status & 4) != 0;
        uint hourRegister = Register(4);
        uint hour = Value(hourRegister & 0x7F, isBinary);
        if ((status & 2) == 0)
        {
            hour = (hour % 12) + ((hourRegister & 0x80) != 0 ? 12u : 0);
        }

        uint second = Value(Register(0), isBinary);
        uint minute = Value(Register(2), isBinary);
        uint day = Value(Register(7), isBinary);
        uint month = Value(Register(8), isBinary);
        uint year = 2000 + Value(Register(9), isBinary);
        if (day is 0 or > 31 || month is 0 or > 12)
        {
            return 0;
        }

        return (DaysSinceEpoch(year, month, day) * 86_400) + (hour * 3600) + (minute * 60) + second;
    }

    private static uint Value(uint register, bool isBinary) => isBinary ? register : (register & 15) + (register >> 4) * 10;

    private static byte Register(byte index)
    {
        Ports.Out8(IndexPort, index);
        return Ports.In8(DataPort);
    }
}
