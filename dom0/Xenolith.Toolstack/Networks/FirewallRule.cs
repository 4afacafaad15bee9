// One rule of an interface's firewall.
using System.Globalization;
using System.Net;

namespace Xenolith.Toolstack.Networks;

/// <summary>What becomes of a packet that a rule matches.</summary>
public enum FirewallAction
{
    /// <summary>It passes; no later rule is asked.</summary>
    Allow,

    /// <summary>It is dropped.</summary>
    Deny,

    /// <summary>It passes, and what no rule lets out is dropped: the guest reaches what such rules name, Domain 0's services of its network, and nothing else.</summary>
    Only,

    /// <summary>It is dropped where more come than the rule's rate; others are left to the rules that follow.</summary>
    Limit,

    /// <summary>What comes to a port of Domain 0 goes to one of the guest's.</summary>
    Forward,
}

/// <summary>
/// A pattern and an action. As text: <c>allow|deny [in|out] [tcp|udp|icmp] [from NETWORK] [to NETWORK] [port N[-M]]</c>,
/// <c>only [tcp|udp|icmp] [to NETWORK] [port N[-M]]</c>, <c>limit RATE/second|minute</c> before the pattern, or <c>forward tcp|udp PORT to PORT</c>. <c>out</c> is what the guest sends;
/// answers to what was allowed always pass.
/// </summary>
/// <param name="Text">As it was written.</param>
/// <param name="Action">What becomes of a packet.</param>
/// <param name="IsOutgoing">It is about what the guest sends.</param>
/// <param name="Pattern">Which packets, in nftables' language; empty = all.</param>
/// <param name="Rate">Packets in a time, in nftables' language, for <see cref="FirewallAction.Limit"/>.</param>
/// <param name="Forwarded">Protocol, Domain 0's port and the guest's, for <see cref="FirewallAction.Forward"/>.</param>
public sealed record FirewallRule(string Text, FirewallAction Action, bool IsOutgoing, string Pattern, string? Rate, (string Protocol, ushort Port, ushort GuestPort)? Forwarded)
{
    private const string Shape = "write allow or deny, then as needed in or out, tcp, udp or icmp, from NETWORK, to NETWORK, port N or N-M; or 'only to NETWORK ...', 'limit 100/second ...', or 'forward tcp 8080 to 80'";

    /// <summary>Reads a rule.</summary>
    /// <exception cref="FormatException">It is none; the message says what is wrong and what to write.</exception>
    public static FirewallRule Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Queue<string> words = new(text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        switch (words.TryDequeue(out string? action) ? action : "")
        {
            case "allow":
                return ReadPattern(text, FirewallAction.Allow, null, words);
            case "deny":
                return ReadPattern(text, FirewallAction.Deny, null, words);
            case "only":
                return words.Contains("in") || words.Contains("from") ? throw Wrong(text, "only is about where the guest sends to") : ReadPattern(text, FirewallAction.Only, null, words);
            case "limit":
                return ReadPattern(text, FirewallAction.Limit, RateOf(text, words), words);
            case "forward":
                return ReadForward(text, words);
            default:
                throw Wrong(text, "it begins with none of allow, deny, only, limit and forward");
        }
    }

    private static FirewallRule ReadForward(string text, Queue<string> words)
    {
        return words.ToArray() is [("tcp" or "udp") and var protocol, var port, "to", var target]
            ? new FirewallRule(text, FirewallAction.Forward, false, "", null, (protocol, PortOf(text, port), PortOf(text, target)))
            : throw Wrong(text, "a forwarding has the form 'forward tcp 8080 to 80'");
    }

    private static FirewallRule ReadPattern(string text, FirewallAction action, string? rate, Queue<string> words)
    {
        bool isOutgoing = true;
        string? protocol = null, source = null, target = null, ports = null;
        while (words.TryDequeue(out string? word))
        {
            switch (word)
            {
                case "in" or "out":
                    isOutgoing = word == "out";
                    break;
                case "tcp" or "udp" or "icmp":
                    Once(text, word, ref protocol, word);
                    break;
                case "from":
                    Once(text, word, ref source, NetworkOf(text, words));
                    break;
                case "to":
                    Once(text, word, ref target, NetworkOf(text, words));
                    break;
                case "port":
                    Once(text, word, ref ports, PortsOf(text, words));
                    break;
                default:
                    throw Wrong(text, $"'{word}' is unknown");
            }
        }

        if (ports is not null && protocol is not ("tcp" or "udp"))
        {
            throw Wrong(text, "a port belongs to tcp or udp");
        }

        List<string> pattern = [];
        pattern.AddRange(source is null ? [] : [$"{FamilyOf(source)} saddr {source}"]);
        pattern.AddRange(target is null ? [] : [$"{FamilyOf(target)} daddr {target}"]);
        pattern.AddRange(protocol is null ? [] : [ports is null ? $"meta l4proto {NumbersOf(protocol)}" : $"{protocol} dport {ports}"]);
        return new FirewallRule(text, action, isOutgoing, string.Join(' ', pattern), rate, null);
    }

    private static void Once(string text, string what, ref string? field, string value) => field = field is null ? value : throw Wrong(text, $"'{what}' is given twice");

    private static string RateOf(string text, Queue<string> words)
    {
        string[] parts = words.TryDequeue(out string? rate) ? rate.Split('/') : [];
        return parts is [var number, "second" or "minute" or "hour"] && uint.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out uint count) && count > 0
            ? $"{count.ToString(CultureInfo.InvariantCulture)}/{parts[1]}"
            : throw Wrong(text, "after limit comes a rate such as 100/second");
    }

    private static string NetworkOf(string text, Queue<string> words)
    {
        string word = words.TryDequeue(out string? next) ? next : "";
        return IPNetwork.TryParse(word, out IPNetwork network) ? network.ToString()
            : IPAddress.TryParse(word, out IPAddress? address) ? address.ToString()
            : throw Wrong(text, $"'{word}' is no address and no network; write 10.0.0.5 or 10.0.0.0/24");
    }

    private static string PortsOf(string text, Queue<string> words)
    {
        string[] ends = words.TryDequeue(out string? word) ? word.Split('-') : [];
        return ends switch
        {
            [var one] => PortOf(text, one).ToString(CultureInfo.InvariantCulture),
            [var first, var last] when PortOf(text, first) < PortOf(text, last) => $"{PortOf(text, first).ToString(CultureInfo.InvariantCulture)}-{PortOf(text, last).ToString(CultureInfo.InvariantCulture)}",
            _ => throw Wrong(text, "after port comes a number, or two as in 1000-2000"),
        };
    }

    private static ushort PortOf(string text, string word)
        => ushort.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port != 0 ? port : throw Wrong(text, $"'{word}' is no port; ports are numbers from 1 to 65535");

    private static string FamilyOf(string address) => address.Contains(':', StringComparison.Ordinal) ? "ip6" : "ip";

    /// <summary>Of IPv4's and IPv6's headers (IANA, protocol numbers): nft knows names only where the system has a table of them, and a small Debian has none.</summary>
    private static string NumbersOf(string protocol) => protocol switch { "tcp" => "6", "udp" => "17", _ => "{ 1, 58 }" };

    private static FormatException Wrong(string text, string problem) => new($"the rule '{text}': {problem}; {Shape}");
}
