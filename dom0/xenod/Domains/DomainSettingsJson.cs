// A domain's configuration as JSON: the keys of xl.cfg.
using System.Text.Json;
using Xenolith.Toolstack.Configuration;

namespace Xenod.Domains;

/// <summary>Reads a JSON object whose members are the settings of an xl.cfg file.</summary>
internal static class DomainSettingsJson
{
    private const string Source = "request";

    /// <summary>The settings of an object.</summary>
    /// <exception cref="ConfigurationException">It is no object, or a value is of no kind that a setting has.</exception>
    internal static XlDocument Parse(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw new ConfigurationException(Source, 0, "a domain's configuration is a JSON object with the keys of an xl.cfg file, such as {\"name\": \"web\", \"memory\": 256}");
        }

        return XlDocument.FromValues(
            body.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null).Select(member => KeyValuePair.Create(member.Name, ValueOf(member.Name, member.Value))),
            Source);
    }

    private static XlValue ValueOf(string key, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => new XlText(value.GetString()!, 0),
        JsonValueKind.Number when value.TryGetInt64(out long number) => new XlNumber(number, 0),
        JsonValueKind.True => new XlNumber(1, 0),
        JsonValueKind.False => new XlNumber(0, 0),
        JsonValueKind.Array => new XlList([.. value.EnumerateArray().Select(item => ValueOf(key, item))], 0),
        _ => throw new ConfigurationException(Source, 0, $"'{key}' is a text, a whole number, or a list of those"),
    };
}
