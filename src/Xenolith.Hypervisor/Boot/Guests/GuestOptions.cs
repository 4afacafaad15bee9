// What a boot module says about the domain that it is the kernel of.
using Xenolith.Hypervisor.Domains;
using Xenolith.Hypervisor.Options;
using Xenolith.Hypervisor.Scheduling;

namespace Xenolith.Hypervisor.Boot.Guests;

/// <summary>
/// domain=NAME memory=MIB vcpus=N count=N weight=N cap=PERCENT on_poweroff=ACTION on_reboot=ACTION on_crash=ACTION -- the kernel's
/// command line.
/// </summary>
internal ref struct GuestOptions
{
    /// <summary>Most bytes of a name, the number that count= appends included.</summary>
    internal const int MaximumName = 31;

    private const ulong DefaultMegabytes = 128;
    private const ulong MaximumMegabytes = 1 << 24;
    private const int DigitsOfCount = 4;

    internal ReadOnlySpan<byte> Name;

    internal ReadOnlySpan<byte> CommandLine;

    internal ulong Megabytes;

    internal int Vcpus;

    /// <summary>How many domains the module stands for; 0: one, whose name has no number.</summary>
    internal int Count;

    /// <summary>Share of the processors, 1 to 65535, beside that of other domains.</summary>
    internal int Weight;

    /// <summary>Most that the domain may use, in per cent of one processor; 0 = no limit.</summary>
    internal int Cap;

    internal EndAction OnPowerOff;

    internal EndAction OnReboot;

    internal EndAction OnCrash;

    /// <summary>Some end of the domain has it made again: its kernel and RAM disk stay in memory.</summary>
    internal readonly bool MayRestart => OnPowerOff == EndAction.Restart || OnReboot == EndAction.Restart || OnCrash == EndAction.Restart;

    /// <summary>Pages of each domain.</summary>
    internal readonly ulong Pages => Megabytes << 8;

    /// <summary>How many domains the module stands for.</summary>
    internal readonly int Instances => Math.Max(Count, 1);

    /// <summary>Reads a module's text. False: <paramref name="word"/> is wrong, and <paramref name="expected"/> says what it takes.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out GuestOptions options, out ReadOnlySpan<byte> word, out ReadOnlySpan<byte> expected)
    {
        options = new GuestOptions
        {
            Megabytes = DefaultMegabytes,
            Vcpus = 1,
            Weight = (int)DomainSchedule.DefaultWeight,
            OnPowerOff = EndAction.Destroy,
            OnReboot = EndAction.Destroy,
            OnCrash = EndAction.Destroy,
        };
        expected = default;
        while (Words.TryNext(ref text, out word))
        {
            if (word.SequenceEqual("--"u8))
            {
                options.CommandLine = text.IsEmpty ? text : text.Slice(1);
                break;
            }

            int equals = word.IndexOf((byte)'=') + 1;
            if (!options.TryApply(word.Slice(0, equals), word.Slice(equals), out expected))
            {
                return false;
            }
        }

        word = options.Name;
        expected = "a name of at most 31 letters, digits, '.', '_' and '-', with room for the number that count= appends"u8;
        return options.Name.Length + (options.Count == 0 ? 0 : DigitsOfCount) <= MaximumName;
    }

    private bool TryApply(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, out ReadOnlySpan<byte> expected)
    {
        if (name.SequenceEqual("domain="u8))
        {
            expected = "a name of at most 31 letters, digits, '.', '_' and '-'"u8;
            Name = value;
            return IsName(value);
        }

        if (name.SequenceEqual("memory="u8))
        {
            expected = "a number of MiB from 1 on"u8;
            return Words.TryNumber(value, out Megabytes) && Megabytes is > 0 and <= MaximumMegabytes;
        }

        if (name.SequenceEqual("vcpus="u8))
        {
            expected = "a number from 1 to 32"u8;
            return TrySmall(value, Domain.MaximumVcpus, out Vcpus);
        }

        if (name.SequenceEqual("count="u8))
        {
            expected = "a number from 1 to 4095"u8;
            return TrySmall(value, DomainTable.Capacity - 1, out Count);
        }

        if (name.SequenceEqual("weight="u8))
        {
            expected = "a number from 1 to 65535"u8;
            return TrySmall(value, (int)SchedulerParameters.LargestWeight, out Weight);
        }

        if (name.SequenceEqual("cap="u8))
        {
            expected = "per cent of one processor, from 1 to 3200"u8;
            return TrySmall(value, (int)SchedulerParameters.LargestCap, out Cap);
        }

        expected = "destroy, restart or preserve"u8;
        if (name.SequenceEqual("on_poweroff="u8))
        {
            return TryAction(value, out OnPowerOff);
        }

        if (name.SequenceEqual("on_reboot="u8))
        {
            return TryAction(value, out OnReboot);
        }

        if (name.SequenceEqual("on_crash="u8))
        {
            return TryAction(value, out OnCrash);
        }

        expected = default;
        return false;
    }

    private static bool IsName(ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is not ((>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z') or (>= (byte)'0' and <= (byte)'9') or (byte)'.' or (byte)'_' or (byte)'-'))
            {
                return false;
            }
        }

        return text.Length is > 0 and <= MaximumName;
    }

    private static bool TrySmall(ReadOnlySpan<byte> text, int most, out int number)
    {
        bool isRight = Words.TryNumber(text, out ulong value) && value > 0 && value <= (ulong)most;
        number = isRight ? (int)value : 0;
        return isRight;
    }

    private static bool TryAction(ReadOnlySpan<byte> text, out EndAction action)
    {
        action = text.SequenceEqual("restart"u8) ? EndAction.Restart : text.SequenceEqual("preserve"u8) ? EndAction.Preserve : EndAction.Destroy;
        return action != EndAction.Destroy || text.SequenceEqual("destroy"u8);
    }
}
