// Isolation: unprivileged domains attack a victim and the hypervisor, and nothing comes of it.
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.RegularExpressions;

namespace Xenolith.MetalTests;

public sealed class IsolationTests
{
    /// <summary>The tables of domains, vcpus and consoles.</summary>
    private const int MostOwnFrames = 64;

    private const string Options = "console=com1 com1=115200,8n1";

    /// <summary>
    /// Sets of attackers that run at the same time beside the victim; each says itself whether one of its attacks got through. The victim
    /// gets nearly what is its share when all compete: in counted time on one processor, where a busy host changes nothing.
    /// </summary>
    public static TheoryData<int, int, string[]> Attacks() => new()
    {
        { 1, 23, ["frames", "tables", "grants"] },
        { 1, 23, ["privilege", "pointers", "floods"] },
        { 2, 20, ["races"] },
        { 2, 10, ["vcpus"] },
        { 2, 10, ["registers", "registers", "registers", "registers"] },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void AttackersGetNothing(int processors, int share, string[] attackers)
    {
        List<string> arguments = ["--kernel", "none", "--memory", "128", "--cpus", $"{processors}", "--options", Options];
        arguments.AddRange(processors == 1 ? ["--icount"] : []);
        arguments.AddRange(Domain("victim", "victim", 4, 1, $"peers={attackers.Length} first=2 seed={processors + 76} share={share} rest=1"));
        for (int i = 0; i < attackers.Length; i++)
        {
            arguments.AddRange(Domain($"{attackers[i]}{i}", "attack_" + attackers[i], 8, Vcpus(attackers[i]), $"victim=1 self={i + 2}"));
        }

        using BootedMachine machine = new([.. arguments]);
        machine.WaitForExit();
        for (int i = 0; i < attackers.Length; i++)
        {
            Said(machine, $"[{attackers[i]}{i}] GUEST attack_{attackers[i]}: Success");
        }

        VictimIsWhole(machine);
        MemoryIsBack(machine);
    }

    /// <summary>XENOLITH_CALLS and XENOLITH_SEED make it longer, or repeat another run.</summary>
    [Fact]
    public void RandomCallsOfTwoVcpusHarmNobody()
    {
        string calls = Environment.GetEnvironmentVariable("XENOLITH_CALLS") ?? "100000";
        string seed = Environment.GetEnvironmentVariable("XENOLITH_SEED") ?? "1";
        List<string> arguments = ["--kernel", "none", "--memory", "128", "--cpus", "2", "--options", Options];
        arguments.AddRange(Domain("victim", "victim", 4, 1, "peers=1 first=2 seed=5 share=20"));
        arguments.AddRange(Domain("random", "random", 8, 2, $"victim=1 self=2 seed={seed} calls={calls}"));
        using BootedMachine machine = new([.. arguments]);
        machine.WaitForExit();
        Said(machine, "[random] GUEST random: Success");
        VictimIsWhole(machine);
        MemoryIsBack(machine);
    }

    /// <summary>Domains that end by every mistake there is, started again each time: none takes the victim or the hypervisor with it.</summary>
    [Fact]
    public void DomainsThatCrashAgainAndAgainHarmNobody()
    {
        List<string> arguments = ["--kernel", "none", "--memory", "256", "--cpus", "2", "--options", Options];
        arguments.AddRange(Domain("victim", "victim", 4, 1, "peers=0 seed=9 rest=15"));
        List<string> crashes = [];
        foreach (string line in File.ReadLines(Repository.Path("guests/list")))
        {
            string[] words = line.Split(' ', 3);
            if (words[0].StartsWith("crash_", StringComparison.Ordinal))
            {
                crashes.Add(words[0]);
                arguments.AddRange(["--domain", $"{words[0]} kernel={Repository.Path($"out/guests/{words[0]}.elf")} ramdisk=none memory=4 on_crash=restart"]);
            }
        }

        using BootedMachine machine = new([.. arguments]);
        machine.WaitFor("[victim] GUEST victim: Success\n");
        VictimIsWhole(machine);
        foreach (string crash in crashes)
        {
            Assert.True(machine.Console.Split($"[{crash}] GUEST {crash}: dies\n").Length > 2, $"{crash} did not die again\nagain: {machine.Command}\n{machine.Console}");
        }
    }

    private static int Vcpus(string attacker) => attacker switch { "vcpus" => 32, "races" => 2, _ => 1 };

    private static void VictimIsWhole(BootedMachine machine)
    {
        Said(machine, "[victim] GUEST victim: Success");
        Assert.DoesNotContain("[panic]", machine.Console, StringComparison.Ordinal);
        Assert.DoesNotContain("Failure", machine.Console, StringComparison.Ordinal);
    }

    /// <summary>The machine's last word: no frame belongs to a domain, and all are free but the few that the hypervisor's tables have grown by.</summary>
    private static void MemoryIsBack(BootedMachine machine)
    {
        Match line = Regex.Match(machine.Console, @"\[mm\] frames free (\d+) of (\d+), of domains (\d+)");
        Assert.True(line.Success, machine.Console);
        Assert.Equal("0", line.Groups[3].Value);
        Assert.InRange(int.Parse(line.Groups[2].ValueSpan, CultureInfo.InvariantCulture) - int.Parse(line.Groups[1].ValueSpan, CultureInfo.InvariantCulture), 0, MostOwnFrames);
    }

    private static string[] Domain(string name, string guest, int memory, int vcpus, string line)
        => ["--domain", $"{name} kernel={Repository.Path($"out/guests/{guest}.elf")} ramdisk=none memory={memory} vcpus={vcpus} -- {line}"];

    private static void Said(BootedMachine machine, string text)
        => Assert.True(machine.Console.Contains(text + "\n", StringComparison.Ordinal), $"nobody said '{text}'\nagain: {machine.Command}\n{machine.Console}");
}
