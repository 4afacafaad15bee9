// What nft says of its maps.
using System.Net;
using Xenod.Networks;
using Xenolith.Toolstack.Networks;

namespace Xenolith.Toolstack.Tests.Networks;

public sealed class FilterStateTests
{
    private const string Empty = """{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"map": {"family": "ip", "name": "forward_udp", "table": "xenolith", "type": "inet_service", "handle": 2}}]}""";

    private const string Senders = """
        {"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"map": {"family": "bridge", "name": "senders", "table": "xenolith", "type": "ifname",
        "handle": 1, "map": "verdict", "elem": [["vif1.0", {"jump": {"target": "sent_vif1.0"}}], ["web", {"jump": {"target": "sent_web"}}]]}}]}
        """;

    private const string Forwarded = """
        {"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"map": {"family": "ip", "name": "forward_tcp", "table": "xenolith", "type": "inet_service",
        "handle": 1, "map": "ipv4_addr . inet_service", "elem": [[8080, {"concat": ["10.87.0.111", 80]}]]}}]}
        """;

    [Fact]
    public void InterfacesAndPortsAreRead()
    {
        FilterState state = FilterState.Parse(Senders, [("tcp", Forwarded), ("udp", Empty)]);
        Assert.Equal(["vif1.0", "web"], state.Interfaces);
        Assert.Equal([new ForwardedPort("tcp", 8080, IPAddress.Parse("10.87.0.111"), 80)], state.Forwarded);
    }
}
