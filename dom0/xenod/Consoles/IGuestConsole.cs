// A domain's console as its users see it.
namespace Xenod.Consoles;

/// <summary>What a domain has said, and the way to its keyboard.</summary>
internal interface IGuestConsole
{
    /// <summary>Everything from its first byte as far as it is kept.</summary>
    ConsoleLog Log { get; }

    /// <summary>Ends when the domain says no more.</summary>
    Task Ended { get; }

    /// <summary>Types, and waits where the guest has no room for it.</summary>
    Task TypeAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation);
}
