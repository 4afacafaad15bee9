// Why a domain could not be built.
namespace Xenolith.Toolstack.Building;

/// <summary>Nothing is left of the domain, unless <see cref="Remainder"/> names it.</summary>
public sealed class DomainBuildException : Exception
{
    internal DomainBuildException(string name, BuildStep step, string reason, Exception? inner = null, ushort? remainder = null)
        : base($"domain '{name}' is not built: {reason}{(remainder is null ? "" : $" Its number {remainder} could not be destroyed; destroy it.")}", inner)
    {
        Name = name;
        Step = step;
        Remainder = remainder;
    }

    /// <summary>The domain's name.</summary>
    public string Name { get; }

    /// <summary>The step that failed.</summary>
    public BuildStep Step { get; }

    /// <summary>Number of the half-made domain that even destroying has failed for; null: nothing is left.</summary>
    public ushort? Remainder { get; }
}
