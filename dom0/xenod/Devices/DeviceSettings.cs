// Which devices a domain is to have.
using System.Globalization;
using Xenolith.Toolstack.Configuration;

namespace Xenod.Devices;

/// <summary>An interface that a domain is to have.</summary>
/// <param name="Text">Its description, as in an xl.cfg file.</param>
/// <param name="Rules">Its firewall.</param>
internal sealed record InterfaceSettings(string Text, IReadOnlyList<string> Rules);

/// <summary>The devices that a domain has at its next start: those of its configuration, and what was attached and detached since.</summary>
/// <param name="Disks">Descriptions, as in an xl.cfg file.</param>
/// <param name="Interfaces">By index.</param>
internal sealed record DeviceSettings(IReadOnlyList<string> Disks, IReadOnlyDictionary<string, InterfaceSettings> Interfaces)
{
    /// <summary>Those of a configuration.</summary>
    internal static DeviceSettings Of(DomainConfiguration configuration) => new(
        [.. configuration.Disks.Select(disk => disk.Text)],
        configuration.Interfaces.Select((one, index) => (one, index)).ToDictionary(pair => Key((uint)pair.index), pair => new InterfaceSettings(pair.one.Text, pair.one.Rules)));

    internal DeviceSettings WithDisk(string text) => this with { Disks = [.. Disks, text] };

    internal DeviceSettings WithoutDisk(string name) => this with { Disks = [.. Disks.Where(text => DiskParser.Parse(text).Device.Name != name)] };

    internal DeviceSettings WithInterface(uint index, InterfaceSettings one) => this with { Interfaces = new Dictionary<string, InterfaceSettings>(Interfaces) { [Key(index)] = one } };

    internal DeviceSettings WithoutInterface(uint index) => this with { Interfaces = Interfaces.Where(pair => pair.Key != Key(index)).ToDictionary() };

    internal InterfaceSettings? Interface(uint index) => Interfaces.GetValueOrDefault(Key(index));

    /// <summary>The first index that no interface has.</summary>
    internal uint FreeIndex()
    {
        uint index = 0;
        while (Interfaces.ContainsKey(Key(index)))
        {
            index++;
        }

        return index;
    }

    private static string Key(uint index) => index.ToString(CultureInfo.InvariantCulture);
}
