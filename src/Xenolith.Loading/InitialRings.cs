// Which pages a new domain shares with others.
namespace Xenolith.Loading;

/// <summary>Rings between start_info and the page tables.</summary>
[Flags]
internal enum InitialRings
{
    None = 0,
    Console = 1,
    Xenstore = 2,
}
