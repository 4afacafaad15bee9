// The micro-guests: each asks one question on the metal and gives its verdict in one line.
using System.Collections.Generic;
using System.IO;

namespace Xenolith.MetalTests;

public sealed class GuestTests
{
    /// <summary>The guests of guests/list: a name, what is expected (a verdict or `crash`), and for a crash the words of its report.</summary>
    public static TheoryData<string, string, string> Guests()
    {
        TheoryData<string, string, string> guests = [];
        foreach (string line in File.ReadLines(Repository.Path("guests/list")))
        {
            string[] words = line.Split(' ', 3);
            if (words[0] is not ("" or "#") && words[1] is not ("beside" or "bench"))
            {
                guests.Add(words[0], words[1], words.Length > 2 ? words[2] : string.Empty);
            }
        }

        return guests;
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void AGuest(string name, string expected, string report)
    {
        List<string> arguments = ["--guest", name];
        bool crashes = expected == "crash";
        if (crashes)
        {
            arguments.AddRange(["--options", "console=com1 com1=115200,8n1 noreboot"]);
        }

        using BootedMachine machine = new([.. arguments]);
        if (crashes)
        {
            machine.WaitFor($"GUEST {name}: dies");
            machine.WaitFor($"[domain] d0v0 crashed: {report}\n");
            foreach (string fact in new string[] { " cr2 0x", "  rip ", " rsp ", "kernel root ", " last hypercall ", "  stack " })
            {
                machine.WaitFor(fact);
            }

            machine.WaitFor("[power] halted, as the option noreboot asks");
        }
        else
        {
            machine.WaitFor($"GUEST {name}: {expected}");
            machine.WaitForExit();
        }

        Assert.DoesNotContain("[panic]", machine.Console, StringComparison.Ordinal);
    }
}
