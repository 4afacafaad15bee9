// The verdict of a guest.
using Xenolith.Abi;

namespace Xenolith.Guest;

/// <summary>Prints lines `GUEST name: verdict`; the test runner reads the last of them.</summary>
internal static unsafe class Report
{
    private static uint s_failures;
    private static uint s_checks;

    /// <summary>One statement that must hold.</summary>
    internal static bool Check(bool holds, ReadOnlySpan<byte> what)
    {
        s_checks++;
        if (holds)
        {
            return true;
        }

        Begin("Failure: "u8);
        Text.Write(what);
        Text.EndLine();
        s_failures++;
        return false;
    }

    /// <summary>Two numbers that must be the same.</summary>
    internal static bool Same(ulong actual, ulong expected, ReadOnlySpan<byte> what)
    {
        s_checks++;
        if (actual == expected)
        {
            return true;
        }

        Begin("Failure: "u8);
        Text.Write(what);
        Text.Write(": "u8);
        Text.Hex(actual);
        Text.Write(" instead of "u8);
        Text.Hex(expected);
        Text.EndLine();
        s_failures++;
        return false;
    }

    /// <summary>A hypercall's result: 0, or the error as a positive number.</summary>
    internal static bool Result(long actual, XenError expected, ReadOnlySpan<byte> what)
    {
        s_checks++;
        if (actual == -(long)expected)
        {
            return true;
        }

        Begin("Failure: "u8);
        Text.Write(what);
        Text.Write(": "u8);
        Text.Decimal(actual);
        Text.Write(" instead of "u8);
        Text.Decimal(-(long)expected);
        Text.EndLine();
        s_failures++;
        return false;
    }

    /// <summary>Something worth a line that decides nothing.</summary>
    internal static void Note(ReadOnlySpan<byte> what, ulong value)
    {
        Begin("Note: "u8);
        Text.Write(what);
        Text.Write(" "u8);
        Text.Hex(value);
        Text.EndLine();
    }

    /// <summary>The next thing that the guest does has to end the domain.</summary>
    internal static void Dies()
    {
        Begin(s_failures == 0 ? "dies"u8 : "Error: it is not ready to die"u8);
        Text.EndLine();
    }

    /// <summary>The question does not arise here.</summary>
    internal static void Skip(ReadOnlySpan<byte> why) => End("Skip: "u8, why);

    /// <summary>The guest itself is at a loss.</summary>
    internal static void Error(ReadOnlySpan<byte> why) => End("Error: "u8, why);

    /// <summary>The last line and the end of the machine.</summary>
    internal static void Finish()
    {
        if (s_failures == 0)
        {
            Begin("Success"u8);
        }
        else
        {
            Begin("Failure: "u8);
            Text.Decimal(s_failures);
            Text.Write(" of "u8);
            Text.Decimal(s_checks);
            Text.Write(" checks"u8);
        }

        Text.EndLine();
        Xen.EndMachine();
    }

    internal static void Begin(ReadOnlySpan<byte> verdict)
    {
        Text.Write("GUEST "u8);
        Text.Write(Native.Name);
        Text.Write(": "u8);
        Text.Write(verdict);
    }

    private static void End(ReadOnlySpan<byte> verdict, ReadOnlySpan<byte> why)
    {
        Begin(verdict);
        Text.Write(why);
        Text.EndLine();
        Xen.EndMachine();
    }
}
