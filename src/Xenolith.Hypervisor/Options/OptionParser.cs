// Reading the hypervisor's command line.
using Xenolith.Hypervisor.Diagnostics;

namespace Xenolith.Hypervisor.Options;

/// <summary>Options are words of the form name or name=value. An unknown one is reported and ignored; a malformed value is an error.</summary>
internal static class OptionParser
{
    private const uint MaximumVcpus = 32;

    /// <summary>
    /// Reads all options. False at the first malformed one: <paramref name="word"/> holds it and <paramref name="expected"/> says
    /// what its value may be.
    /// </summary>
    internal static bool TryParse(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> word, out ReadOnlySpan<byte> expected)
    {
        expected = default;
        ReadOnlySpan<byte> rest = line;
        word = default;
        while (Words.TryNext(ref rest, out word))
        {
            int equals = word.IndexOf((byte)'=');
            ReadOnlySpan<byte> name = equals < 0 ? word : word.Slice(0, equals);
            ReadOnlySpan<byte> value = equals < 0 ? default : word.Slice(equals + 1);
            if (!TryApply(name, value, out expected))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryApply(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out ReadOnlySpan<byte> expected)
    {
        if (name.SequenceEqual("noreboot"u8) || name.SequenceEqual("smep"u8) || name.SequenceEqual("smap"u8))
        {
            expected = "yes or no"u8;
            return TryApplyFlag(name, value);
        }

        if (name.SequenceEqual("com1"u8) || name.SequenceEqual("com2"u8))
        {
            expected = "a rate and optionally a format, such as 115200,8n1"u8;
            return TryApplySerial(name, value);
        }

        if (name.SequenceEqual("dom0_mem"u8))
        {
            expected = "sizes such as 512M, -256M, 50%, min:256M or max:1G, separated by commas"u8;
            return TryApplyMemory(value);
        }

        expected = "a number above 0"u8;
        if (name.SequenceEqual("dom0_max_vcpus"u8))
        {
            expected = "a number from 1 to 32"u8;
            bool isNumber = Words.TryNumber(value, out ulong vcpus) && vcpus is > 0 and <= MaximumVcpus;
            BootOptions.Domain0Vcpus = isNumber ? (uint)vcpus : 0;
            return isNumber;
        }

        if (name.SequenceEqual("maxcpus"u8))
        {
            bool isNumber = Words.TryNumber(value, out ulong processors) && processors is > 0 and <= 4096;
            BootOptions.MaximumProcessors = isNumber ? (uint)processors : 0;
            return isNumber;
        }

        if (name.SequenceEqual("loglvl"u8) || name.SequenceEqual("guest_loglvl"u8))
        {
            expected = "none, error, warning, info, debug or all"u8;
            return TryApplyLogLevel(name, value);
        }

        return TryApplyConsole(name, value, out expected);
    }

    private static bool TryApplyConsole(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out ReadOnlySpan<byte> expected)
    {
        expected = default;
        if (name.SequenceEqual("console"u8))
        {
            expected = "com1, com2, vga or none (several with commas)"u8;
            BootOptions.SerialBase = 0;
            while (Words.TryNextPart(ref value, out ReadOnlySpan<byte> part))
            {
                if (part.SequenceEqual("com1"u8))
                {
                    BootOptions.SerialBase = 0x3F8;
                }
                else if (part.SequenceEqual("com2"u8))
                {
                    BootOptions.SerialBase = 0x2F8;
                }
                else if (!part.SequenceEqual("vga"u8) && !part.SequenceEqual("none"u8))
                {
                    return false;
                }
            }

            return true;
        }

        if (name.SequenceEqual("sched"u8))
        {
            expected = "credit2, whose interface the scheduler has, or credit"u8;
            if (value.SequenceEqual("credit"u8))
            {
                Log.Line("sched"u8).Text("sched=credit: the scheduler is controlled as credit2 is, with weights and caps"u8).End();
                return true;
            }

            return value.SequenceEqual("credit2"u8);
        }

        Log.Warning("boot"u8).Text("unknown option ignored: "u8).Text(name).End();
        return true;
    }

    private static bool TryApplyFlag(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        bool isOn = value.IsEmpty || value.SequenceEqual("1"u8) || value.SequenceEqual("yes"u8) || value.SequenceEqual("on"u8)
            || value.SequenceEqual("true"u8) || value.SequenceEqual("enable"u8);
        bool isOff = value.SequenceEqual("0"u8) || value.SequenceEqual("no"u8) || value.SequenceEqual("off"u8)
            || value.SequenceEqual("false"u8) || value.SequenceEqual("disable"u8);
        if (name.SequenceEqual("noreboot"u8))
        {
            BootOptions.NoReboot = isOn;
        }
        else if (name.SequenceEqual("smep"u8))
        {
            BootOptions.AllowSmep = isOn;
        }
        else
        {
            BootOptions.AllowSmap = isOn;
        }

        return isOn || isOff;
    }

    /// <summary>Rate, then parts that are read and must be the one format there is.</summary>
    private static bool TryApplySerial(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        bool isFirst = true;
        while (Words.TryNextPart(ref value, out ReadOnlySpan<byte> part))
        {
            if (isFirst)
            {
                bool isRate = Words.TryNumber(part, out ulong rate) && rate is >= 1200 and <= 115_200 && 115_200 % rate == 0;
                if (!isRate && !part.SequenceEqual("auto"u8))
                {
                    return false;
                }

                BootOptions.SerialRate = isRate ? (uint)rate : BootOptions.SerialRate;
                isFirst = false;
                continue;
            }

            if (!part.SequenceEqual("8n1"u8))
            {
                return false;
            }
        }

        return !isFirst;
    }

    private static bool TryApplyMemory(ReadOnlySpan<byte> value)
    {
        bool any = false;
        while (Words.TryNextPart(ref value, out ReadOnlySpan<byte> part))
        {
            bool isMinimum = part.StartsWith("min:"u8);
            bool isMaximum = part.StartsWith("max:"u8);
            if (!TrySize(isMinimum || isMaximum ? part.Slice(4) : part, out MemorySize size))
            {
                return false;
            }

            if (isMinimum)
            {
                BootOptions.Domain0MinimumMemory = size;
            }
            else if (isMaximum)
            {
                BootOptions.Domain0MaximumMemory = size;
            }
            else
            {
                BootOptions.Domain0Memory = size;
            }

            any = true;
        }

        return any;
    }

    private static bool TrySize(ReadOnlySpan<byte> text, out MemorySize size)
    {
        size = default;
        bool isNegative = text.StartsWith("-"u8);
        text = isNegative ? text.Slice(1) : text;
        int plus = text.IndexOf((byte)'+');
        ReadOnlySpan<byte> first = plus < 0 ? text : text.Slice(0, plus);
        ReadOnlySpan<byte> second = plus < 0 ? default : text.Slice(plus + 1);
        if (!TryTerm(first, out ulong bytes, out uint percent))
        {
            return false;
        }

        if (plus >= 0)
        {
            if (!TryTerm(second, out ulong moreBytes, out uint morePercent))
            {
                return false;
            }

            bytes += moreBytes;
            percent += morePercent;
        }

        size = new MemorySize(isNegative, bytes, percent);
        return percent <= 100;
    }

    private static bool TryTerm(ReadOnlySpan<byte> text, out ulong bytes, out uint percent)
    {
        bytes = 0;
        percent = 0;
        if (text.Length > 1 && text[text.Length - 1] == (byte)'%')
        {
            bool isNumber = Words.TryNumber(text.Slice(0, text.Length - 1), out ulong number) && number <= 100;
            percent = isNumber ? (uint)number : 0;
            return isNumber;
        }

        return Words.TrySize(text, out bytes);
    }

    private static bool TryApplyLogLevel(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        // Xen's form "lower/upper" limits the rate between the two; the upper one is what is let through.
        int slash = value.IndexOf((byte)'/');
        ReadOnlySpan<byte> text = slash < 0 ? value : value.Slice(slash + 1);
        int level = text.SequenceEqual("none"u8) ? 0
            : text.SequenceEqual("error"u8) ? 1
            : text.SequenceEqual("warning"u8) ? 2
            : text.SequenceEqual("info"u8) ? 3
            : text.SequenceEqual("debug"u8) || text.SequenceEqual("all"u8) ? 4
            : -1;
        if (level < 0)
        {
            return false;
        }

        if (name.SequenceEqual("loglvl"u8))
        {
            BootOptions.LogLevel = level;
        }
        else
        {
            BootOptions.GuestLogLevel = level;
        }

        return true;
    }
}
