// What the packet filter knows of interfaces.
using System.Net;
using System.Text.Json;
using Xenolith.Toolstack.Networks;

namespace Xenod.Networks;

/// <summary>The interfaces that have chains, and the ports that are forwarded.</summary>
internal sealed record FilterState(IReadOnlyList<string> Interfaces, IReadOnlyList<ForwardedPort> Forwarded)
{
    /// <summary>Reads what nft says of the maps, as JSON (libnftables-json(5)): the one of the interfaces, and the one of each protocol.</summary>
    internal static FilterState Parse(string interfaces, IEnumerable<(string Protocol, string Map)> forwarded)
        => new([.. Elements(interfaces).Select(element => element[0].GetString() ?? "")], [.. forwarded.SelectMany(one => Elements(one.Map).Select(element => PortOf(one.Protocol, element)))]);

    private static ForwardedPort PortOf(string protocol, JsonElement element)
    {
        JsonElement target = element[1].GetProperty("concat");
        return new ForwardedPort(protocol, element[0].GetUInt16(), IPAddress.Parse(target[0].GetString()!), target[1].GetUInt16());
    }

    private static List<JsonElement> Elements(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        List<JsonElement> elements = [];
        foreach (JsonElement item in document.RootElement.GetProperty("nftables").EnumerateArray())
        {
            if (item.TryGetProperty("map", out JsonElement map) && map.TryGetProperty("elem", out JsonElement found))
            {
                elements.AddRange(found.EnumerateArray().Select(element => element.Clone()));
            }
        }

        return elements;
    }
}
