// Rules of interfaces: how they are read, and what nftables is told.
using System.Net;
using System.Net.NetworkInformation;
using Xenolith.Toolstack.Networks;

namespace Xenolith.Toolstack.Tests.Networks;

public sealed class FirewallTests
{
    private static readonly PhysicalAddress s_mac = new([0, 0x16, 0x3E, 1, 2, 3]);

    [Theory]
    [InlineData("allow out", "add rule bridge xenolith sent_vif1.0  counter accept comment \"allow out\"")]
    [InlineData("deny in tcp port 22", "add rule bridge xenolith received_vif1.0 tcp dport 22 counter drop comment \"deny in tcp port 22\"")]
    [InlineData("deny udp port 1000-2000 to 192.0.2.0/24", "add rule bridge xenolith sent_vif1.0 ip daddr 192.0.2.0/24 udp dport 1000-2000 counter drop comment \"deny udp port 1000-2000 to 192.0.2.0/24\"")]
    [InlineData("allow in icmp from 2001:db8::/32", "add rule bridge xenolith received_vif1.0 ip6 saddr 2001:db8::/32 meta l4proto { 1, 58 } counter accept comment \"allow in icmp from 2001:db8::/32\"")]
    [InlineData("limit 10/second out tcp", "add rule bridge xenolith sent_vif1.0 meta l4proto 6 limit rate over 10/second counter drop comment \"limit 10/second out tcp\"")]
    [InlineData("forward tcp 8080 to 80", "add element ip xenolith forward_tcp { 8080 : 10.87.0.9 . 80 }")]
    public void ARuleBecomesALineOfItsInterfacesChain(string rule, string line)
        => Assert.Contains(line, FirewallScript.Apply(Interface(rule)).Split('\n'));

    [Theory]
    [InlineData("")]
    [InlineData("perhaps out")]
    [InlineData("allow out port 80")]
    [InlineData("allow icmp port 80")]
    [InlineData("allow tcp port 0")]
    [InlineData("allow tcp port 65536")]
    [InlineData("allow tcp port 20-10")]
    [InlineData("allow tcp udp")]
    [InlineData("allow to 1.2.3.4 to 1.2.3.5")]
    [InlineData("allow to 10.0.0.5/33")]
    [InlineData("allow to")]
    [InlineData("allow out \"; flush ruleset")]
    [InlineData("limit out")]
    [InlineData("limit 0/second")]
    [InlineData("limit 5/fortnight")]
    [InlineData("forward tcp 80")]
    [InlineData("forward icmp 80 to 80")]
    [InlineData("only in tcp port 80")]
    [InlineData("only from 10.0.0.0/8")]
    public void WhatIsNoRuleIsRefusedInOneSentence(string rule)
        => Assert.Contains("write allow or deny", Assert.Throws<FormatException>(() => FirewallRule.Parse(rule)).Message, StringComparison.Ordinal);

    [Fact]
    public void LocksComeBeforeAllRules()
    {
        string[] lines = FirewallScript.Apply(Interface("allow out")).Split('\n');
        int allow = Array.FindIndex(lines, line => line.Contains("allow out", StringComparison.Ordinal));
        int answers = Array.FindIndex(lines, line => line.Contains("sent_vif1.0 ct state established", StringComparison.Ordinal));
        int lastLock = Array.FindLastIndex(lines, line => line.Contains("comment \"lock:", StringComparison.Ordinal));
        Assert.True(lastLock >= 0 && lastLock < answers && answers < allow);
    }

    /// <summary>A guest that may send to a few addresses only still has to find them.</summary>
    [Theory]
    [InlineData("deny out", "sent_vif1.0")]
    [InlineData("deny in", "received_vif1.0")]
    public void QuestionsForEthernetAddressesPassBeforeAllRules(string rule, string chain)
    {
        string[] lines = FirewallScript.Apply(Interface(rule)).Split('\n');
        int arp = Array.IndexOf(lines, $"add rule bridge xenolith {chain} meta protocol arp accept");
        Assert.InRange(arp, 0, Array.FindIndex(lines, line => line.Contains(rule, StringComparison.Ordinal)) - 1);
        Assert.True(Array.FindLastIndex(lines, line => line.Contains("lock:", StringComparison.Ordinal) && line.Contains(chain, StringComparison.Ordinal)) < arp);
    }

    /// <summary>Rules that let out to a few places only end in a drop, behind what the guest needs to find them.</summary>
    [Fact]
    public void OnlyLetsOutToItsPlacesAndToTheServicesOfTheNetwork()
    {
        string[] lines = [.. FirewallScript.Apply(Interface("only to 192.0.2.0/24 tcp port 443", "deny in", "only to 198.51.100.7")).Split('\n')
            .Where(line => line.Contains("rule bridge xenolith sent_", StringComparison.Ordinal)).Select(line => line["add rule bridge xenolith sent_vif1.0 ".Length..]).TakeLast(6)];
        Assert.Equal(
            [
                "ip daddr 192.0.2.0/24 tcp dport 443 counter accept comment \"only to 192.0.2.0/24 tcp port 443\"",
                "ip daddr 198.51.100.7 counter accept comment \"only to 198.51.100.7\"",
                "udp sport 68 udp dport 67 accept",
                "ip daddr 10.87.0.1 meta l4proto { 1, 58 } accept",
                "ip daddr 10.87.0.1 meta l4proto { 6, 17 } th dport 53 accept",
                "counter drop comment \"only: everything else\"",
            ],
            lines);
        Assert.DoesNotContain("everything else", FirewallScript.Apply(Interface("allow out")), StringComparison.Ordinal);
    }

    [Fact]
    public void NothingThatAGuestMayNotCallItselfPasses()
    {
        string script = FirewallScript.Apply(Interface());
        Assert.Contains("ether saddr != 00:16:3e:01:02:03 counter drop", script, StringComparison.Ordinal);
        Assert.Contains("arp saddr ip != { 10.87.0.9, 0.0.0.0 } counter drop", script, StringComparison.Ordinal);
        Assert.Contains("ip saddr != { 10.87.0.9 } counter drop", script, StringComparison.Ordinal);
        Assert.Contains("ip6 saddr != { fe80::216:3eff:fe01:203, :: } counter drop", script, StringComparison.Ordinal);
        Assert.Contains("icmpv6 type { nd-router-advert, nd-redirect } counter drop", script, StringComparison.Ordinal);
        Assert.Contains("nd-neighbor-advert @th,64,128 != { 0xfe8000000000000002163efffe010203, 0x00000000000000000000000000000000 } counter drop", script, StringComparison.Ordinal);
    }

    [Fact]
    public void TheTablesOfIpv6AreThereWhereTheNetworkHasIt()
    {
        IPNetwork four = IPNetwork.Parse("10.87.0.0/24");
        Assert.DoesNotContain("add rule ip6", FirewallScript.Base(four, null, hasIpv6: false), StringComparison.Ordinal);
        Assert.DoesNotContain("ip6 saddr", FirewallScript.Base(four, null, hasIpv6: true), StringComparison.Ordinal);
        Assert.Contains(
            "add rule ip6 xenolith postrouting ip6 saddr fd58:656e:6f6c::/64 ip6 daddr != fd58:656e:6f6c::/64 masquerade\n", FirewallScript.Base(four, IPNetwork.Parse("fd58:656e:6f6c::/64"), hasIpv6: true),
            StringComparison.Ordinal);
    }

    [Fact]
    public void PortsAreForwardedToTheFirstAddressOfEachFamily()
    {
        IPAddress[] addresses = [.. ((string[])["10.87.0.9", "192.0.2.1", "fd58:656e:6f6c::9"]).Select(IPAddress.Parse)];
        FirewalledInterface one = Interface("forward udp 53 to 5353") with { Addresses = addresses };
        Assert.Equal([new ForwardedPort("udp", 53, addresses[0], 5353), new ForwardedPort("udp", 53, addresses[2], 5353)], FirewallScript.ForwardedPorts(one));
        Assert.Contains("add element ip6 xenolith forward_udp { 53 : fd58:656e:6f6c::9 . 5353 }\n", FirewallScript.Apply(one), StringComparison.Ordinal);
        Assert.Equal("delete element ip xenolith forward_udp { 53 }\ndelete element ip6 xenolith forward_udp { 53 }\n", FirewallScript.Unforward(FirewallScript.ForwardedPorts(one)));
    }

    /// <summary>On a network whose addresses others give, only the Ethernet address is known.</summary>
    [Fact]
    public void WithoutAddressesOnlyTheEthernetAddressIsLocked()
    {
        string script = FirewallScript.Apply(Interface() with { Addresses = [] });
        Assert.Contains("ether saddr != 00:16:3e:01:02:03 counter drop", script, StringComparison.Ordinal);
        Assert.DoesNotContain("ip saddr", script, StringComparison.Ordinal);
    }

    [Fact]
    public void NamesOfInterfacesBecomeNamesOfChains()
    {
        Assert.Equal("sent_vif1.0", FirewallScript.Sent("vif1.0"));
        Assert.Equal("sent_a_2db_5f_22", FirewallScript.Sent("a-b_\""));
    }

    private static FirewalledInterface Interface(params string[] rules) => new("vif1.0", s_mac, [IPAddress.Parse("10.87.0.9")], [.. rules.Select(FirewallRule.Parse)], [IPAddress.Parse("10.87.0.1")]);
}
