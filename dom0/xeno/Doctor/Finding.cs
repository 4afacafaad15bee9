// What was found about one need of the hypervisor or its tools.
namespace Xeno.Doctor;

/// <summary>How bad it is.</summary>
internal enum Severity
{
    /// <summary>As it should be.</summary>
    Fine,

    /// <summary>Something that not everybody needs does not work.</summary>
    Warning,

    /// <summary>The machine will not do.</summary>
    Problem,
}

/// <summary>One line of the report.</summary>
/// <param name="Severity">How bad it is.</param>
/// <param name="Text">What, and where it is not fine also why and what to do.</param>
internal sealed record Finding(Severity Severity, string Text);
