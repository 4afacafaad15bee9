// The bridges of routed interfaces.
using System.Globalization;
using System.Text.RegularExpressions;
using Xenolith.Toolstack.Devices;

namespace Xenod.Networks;

/// <summary>
/// A routed interface is the one member of a bridge behind which Domain 0 routes: so the packet filter sees it as it sees every other. The bridge's
/// name says whose it is, so that one that is left over is known as such.
/// </summary>
internal static partial class RoutedBridge
{
    /// <summary>The bridge of an interface; at most 15 characters, the most that Linux takes, for the first ten thousand interfaces of a domain.</summary>
    internal static string NameOf(DeviceAddress device) => string.Create(CultureInfo.InvariantCulture, $"xrt{device.Domain}.{device.Number}");

    /// <summary>Whether a bridge of that name was made for an interface.</summary>
    internal static bool IsName(string name) => Shape().IsMatch(name);

    [GeneratedRegex(@"^xrt\d{1,5}\.\d+$")]
    private static partial Regex Shape();
}
