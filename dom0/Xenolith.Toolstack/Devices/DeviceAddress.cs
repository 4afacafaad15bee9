// Where a device of a domain is in xenstore.
using System.Globalization;
using Xenolith.Toolstack.Xenstore;

namespace Xenolith.Toolstack.Devices;

/// <summary>A device of a domain, served by Domain 0.</summary>
/// <param name="Kind"><c>vbd</c> or <c>vif</c>.</param>
/// <param name="Domain">The domain that has it.</param>
/// <param name="Number">A disk's number (<see cref="Configuration.VirtualDevice"/>), an interface's index.</param>
public readonly record struct DeviceAddress(string Kind, ushort Domain, uint Number)
{
    /// <summary>A disk.</summary>
    public const string Disk = "vbd";

    /// <summary>A network interface.</summary>
    public const string Interface = "vif";

    /// <summary>The directory of the guest's end.</summary>
    public string FrontEnd => Text($"{XenstorePath.OfDomain(Domain)}/device/{Kind}/{Number}");

    /// <summary>The directory of Domain 0's end.</summary>
    public string BackEnd => Text($"{XenstorePath.OfDomain(0)}/backend/{Kind}/{Domain}/{Number}");

    /// <summary>Where Domain 0's driver says what went wrong.</summary>
    internal string BackEndError => Text($"{XenstorePath.OfDomain(0)}/error/backend/{Kind}/{Domain}/{Number}/error");

    /// <summary>The directory of all devices of a domain and a kind, on Domain 0's side.</summary>
    internal static string BackEndsOf(string kind, ushort domain) => Text($"{XenstorePath.OfDomain(0)}/backend/{kind}/{domain}");

    /// <inheritdoc/>
    public override string ToString() => Text($"{Kind} {Number} of domain {Domain}");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
